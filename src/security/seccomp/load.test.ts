import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { isFault } from "../../base/index.ts";
import { hostHasSeccomp, loadSeccompProfile } from "./load.ts";

describe("loadSeccompProfile", () => {
  it("reads a file of the host, and names it when it cannot", async () => {
    const directory = await mkdtemp(join(tmpdir(), "seccomp-"));
    try {
      const path = join(directory, "profile.json");
      await writeFile(path, '{"defaultAction":"SCMP_ACT_LOG"}');
      assert.equal((await loadSeccompProfile(path)).defaultAction, "SCMP_ACT_LOG");
      const missing = join(directory, "missing.json");
      await assert.rejects(loadSeccompProfile(missing), (error) => {
        return isFault(error, "invalid") && error.message.includes(`unable to load local profile "${missing}": ENOENT`);
      });
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it("refuses a relative path", async () => {
    await assert.rejects(loadSeccompProfile("x.json"), (error) => isFault(error, "invalid"));
  });
});

describe("hostHasSeccomp", () => {
  it("sees that this kernel filters system calls", async () => {
    assert.equal(await hostHasSeccomp(), true);
  });
});
