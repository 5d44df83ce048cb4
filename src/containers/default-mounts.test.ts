import assert from "node:assert/strict";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { isFault, silentLogger } from "../base/index.ts";
import { runProgramOk } from "../host/index.ts";
import { defaultMounts, parseMountsConf } from "./default-mounts.ts";

const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

/** A directory with a mounts.conf of these lines, in which DIR stands for it; gone when the test ends. */
function place(...lines: readonly string[]) {
  const dir = mkdtempSync(join(tmpdir(), "default-mounts-"));
  const [file, runDir] = [join(dir, "mounts.conf"), join(dir, "run")];
  mkdirSync(runDir);
  writeFileSync(file, lines.join("\n").replaceAll("DIR", dir));
  const warnings: string[] = [];
  const log = { ...silentLogger, warn: (message: string) => warnings.push(message) };
  return {
    dir,
    warnings,
    mounts: () => defaultMounts({ file, runDir, owner, log }),
    [Symbol.dispose]: () => rmSync(dir, { recursive: true }),
  };
}

const exhausted = (words: RegExp) => (error: unknown) =>
  isFault(error, "exhausted") && words.test((error as Error).message);

describe("parseMountsConf", () => {
  it("takes the lines that begin with a slash, cleaned", () => {
    const text = " /a/b:/c/../d/ \n/e//f\n# /g\nrelative:/x\n\n";
    assert.deepEqual(parseMountsConf(text, silentLogger), [
      { source: "/a/b", destination: "/d" },
      { source: "/e/f", destination: "/e/f" },
    ]);
  });

  it("skips what names no place in a container", () => {
    for (const line of ["/a:b", "/a:/b:/c", "/a:", "/a:/", "/a:/..", "/", "/a\0b"]) {
      assert.deepEqual(parseMountsConf(line, silentLogger), [], line);
    }
  });
});

describe("default mounts", () => {
  it("are copies of files and directories, with their modes, links followed", async () => {
    using at = place("DIR/secrets:/run/secrets", "DIR/one:/etc/one");
    mkdirSync(join(at.dir, "secrets/sub"), { recursive: true });
    writeFileSync(join(at.dir, "secrets/sub/key"), "k");
    chmodSync(join(at.dir, "secrets/sub/key"), 0o4640);
    chmodSync(join(at.dir, "secrets/sub"), 0o750);
    symlinkSync("../one", join(at.dir, "secrets/linked"));
    writeFileSync(join(at.dir, "one"), "1");
    const [secrets, one, ...more] = await at.mounts();
    assert.deepEqual(more, []);
    assert.deepEqual(
      [secrets?.destination, secrets?.type, secrets?.options],
      ["/run/secrets", "bind", ["bind", "rprivate"]],
    );
    const copy = secrets?.source ?? "";
    assert.equal(readFileSync(join(copy, "sub/key"), "utf8"), "k");
    assert.equal(readFileSync(join(copy, "linked"), "utf8"), "1");
    assert.deepEqual(
      [statSync(join(copy, "sub")).mode & 0o7777, statSync(join(copy, "sub/key")).mode & 0o7777],
      [0o750, 0o640],
    );
    assert.equal(readFileSync(one?.source ?? "", "utf8"), "1");
  });

  it("leave out what is missing, is neither file nor directory, or leads nowhere", async () => {
    using at = place("DIR/missing", "DIR/fifo", "DIR/dir:/dir", "/dev/zero:/zero");
    mkdirSync(join(at.dir, "dir"));
    await runProgramOk("/usr/bin/mkfifo", [join(at.dir, "fifo"), join(at.dir, "dir/fifo")], { timeoutMs: 10_000 });
    symlinkSync("nowhere", join(at.dir, "dir/dangling"));
    symlinkSync("loop", join(at.dir, "dir/loop"));
    writeFileSync(join(at.dir, "dir/kept"), "");
    const mounts = await at.mounts();
    assert.deepEqual(
      mounts.map(({ destination }) => destination),
      ["/dir"],
    );
    assert.deepEqual(await readdir(mounts[0]?.source ?? ""), ["kept"]);
    assert.equal(at.warnings.length, 3);
  });

  it("are refused when they are larger, or deeper, than a container gets", async () => {
    using large = place("DIR/large");
    writeFileSync(join(large.dir, "large"), "");
    truncateSync(join(large.dir, "large"), 2 ** 40);
    await assert.rejects(large.mounts(), exhausted(/large goes beyond 67108864 bytes/));
    using circle = place("DIR/circle:/circle");
    mkdirSync(join(circle.dir, "circle"));
    symlinkSync(".", join(circle.dir, "circle/again"));
    await assert.rejects(circle.mounts(), exhausted(/goes beyond 32 directories deep/));
  });

  it("are none without a mounts.conf, which is said when one was named", async () => {
    using at = place();
    rmSync(join(at.dir, "mounts.conf"));
    assert.deepEqual(await at.mounts(), []);
    assert.deepEqual(at.warnings, ["default_mounts_file is missing: there are no default mounts"]);
  });
});
