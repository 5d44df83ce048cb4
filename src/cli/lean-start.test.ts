import assert from "node:assert/strict";
import { registerHooks } from "node:module";
import { describe, it } from "node:test";

const loaded: string[] = [];
registerHooks({
  load(url, context, next) {
    loaded.push(url);
    return next(url, context);
  },
});

describe("the start of crio", () => {
  it("loads neither the daemon nor its libraries for commands that need none", async () => {
    const { crio } = await import("./testing.ts");
    for (const args of [["version"], ["--help"], ["config"], ["md"], ["complete"]]) {
      assert.equal((await crio(args)).status, 0);
    }
    const folders = new Set(loaded.flatMap((url) => /\/src\/([^/]+)\//.exec(url)?.[1] ?? []));
    assert.deepEqual([...folders].sort(), ["base", "cli", "config", "oci"]);
    const libraries = new Set(loaded.flatMap((url) => /\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1] ?? []));
    assert.deepEqual([...libraries], ["smol-toml"]);
  });
});
