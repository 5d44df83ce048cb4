import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fatalLine, setUpLog } from "./log.ts";

describe("setUpLog", () => {
  it("takes level and filter changes at once", async () => {
    const lines: string[] = [];
    await using log = await setUpLog({ write: (line) => lines.push(line), plain: true });
    log.logger.debug("one");
    log.setLevel("debug");
    log.logger.debug("two");
    log.setFilter(/^three/);
    log.logger.info("two");
    log.logger.info("three");
    assert.deepEqual(lines, ['level=debug msg="two"\n', 'level=info msg="three"\n']);
  });

  it("appends every line to the file, in order, before it is closed", async () => {
    const directory = await mkdtemp(join(tmpdir(), "crio-log-"));
    try {
      const file = join(directory, "crio.log");
      for (const round of [0, 1]) {
        await using log = await setUpLog({ write: assert.fail, file, plain: true });
        for (let line = 0; line < 500; line++) log.logger.info(`${round * 500 + line}`);
      }
      const numbers = [...(await readFile(file, "utf8")).matchAll(/msg="(\d+)"/g)].map(([, number]) => Number(number));
      assert.deepEqual(
        numbers,
        Array.from({ length: 1000 }, (_, at) => at),
      );
      assert.equal(process.listenerCount("exit"), 0);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});

describe("fatalLine", () => {
  it("is fatal in each form", () => {
    const error = new Error("a level=error b");
    assert.match(fatalLine(error), /^time="[^"]+" level=fatal msg="a level=error b"\n$/);
    assert.equal(fatalLine(error, { plain: true }), 'level=fatal msg="a level=error b"\n');
    assert.equal(JSON.parse(fatalLine(error, { format: "json" })).level, "fatal");
  });
});
