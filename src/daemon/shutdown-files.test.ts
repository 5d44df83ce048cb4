import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { silentLogger } from "../base/index.ts";
import { noteStart, noteStop, readLastEnd, type ShutdownFiles } from "./shutdown-files.ts";

const directory = await mkdtemp(join(tmpdir(), "crio-shutdown-"));
after(() => rm(directory, { recursive: true, force: true }));

describe("readLastEnd", () => {
  const files: ShutdownFiles = {
    versionFile: join(directory, "run/version"),
    versionFilePersist: join(directory, "lib/version"),
    cleanShutdownFile: join(directory, "lib/clean.shutdown"),
    version: "1.37.0",
  };

  it("calls a first start clean, and a node that never ran this version stale", async () => {
    const end = await readLastEnd(files);
    assert.deepEqual(end, { isUnclean: false, containersAreStale: true, imagesAreStale: true });
  });

  it("calls an end unclean between start and stop, and clean after", async () => {
    await noteStart(files);
    assert.deepEqual(await readLastEnd(files), { isUnclean: true, containersAreStale: false, imagesAreStale: false });
    await noteStop(files, directory, silentLogger);
    assert.equal((await readLastEnd(files)).isUnclean, false);
    await noteStart(files);
    assert.equal((await readLastEnd(files)).isUnclean, true, "each start anew");
  });

  it("tells nothing by files that have no name", async () => {
    const nameless = { versionFile: "", versionFilePersist: "", cleanShutdownFile: "", version: "1.37.0" };
    const end = await readLastEnd(nameless);
    assert.deepEqual(end, { isUnclean: false, containersAreStale: false, imagesAreStale: false });
  });

  const written: readonly (readonly [string, boolean])[] = [
    ['"1.37.0"', false],
    ['"1.37.4+abc123"', false],
    ['"1.37.0-dev"', false],
    ['"1.36.9"', true],
    ['"1.38.0"', true],
    ['"2.37.0"', true],
    ["1.37.0", true],
    ['"1.37"', true],
    ["{}", true],
    ["", true],
    [`"${"1".repeat(10_000)}"`, true],
  ];
  for (const [text, isStale] of written) {
    it(`takes ${text.slice(0, 20) || "an empty file"} for ${isStale ? "another" : "the same"} minor version`, async () => {
      await writeFile(files.versionFilePersist, text);
      assert.equal((await readLastEnd(files)).imagesAreStale, isStale);
    });
  }
});
