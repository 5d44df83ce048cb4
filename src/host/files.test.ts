import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { errnoOf, isFault } from "../base/index.ts";
import { removeUnfinishedWrites, writeFileAtomic } from "./atomic-write.ts";
import { readBounded } from "./bounded-read.ts";
import { runProgramOk } from "./run-program.ts";
import { syncFilesystem } from "./sync-filesystem.ts";

const dir = mkdtempSync(join(tmpdir(), "host-files-"));
after(() => rmSync(dir, { recursive: true }));
const hasErrno = (errno: string) => (error: unknown) => errnoOf(error) === errno;

describe("writeFileAtomic", () => {
  it("replaces content and mode, whatever the umask", async () => {
    const path = join(dir, "file");
    writeFileSync(path, "old", { mode: 0o600 });
    const umask = process.umask(0o077);
    try {
      await writeFileAtomic(path, "new", { mode: 0o644, durable: true });
    } finally {
      process.umask(umask);
    }
    assert.equal(readFileSync(path, "utf8"), "new");
    assert.equal(statSync(path).mode & 0o7777, 0o644);
  });

  it("leaves no temporary file behind when it fails", async () => {
    const sub = join(dir, "sub");
    mkdirSync(join(sub, "a-directory", "with-something-in-it"), { recursive: true });
    const failing = writeFileAtomic(join(sub, "a-directory"), "x", { mode: 0o644, durable: false });
    await assert.rejects(failing, hasErrno("EISDIR"));
    assert.deepEqual(readdirSync(sub), ["a-directory"]);
    const missing = writeFileAtomic(join(dir, "no", "dir"), "x", { mode: 0o644, durable: false });
    await assert.rejects(missing, hasErrno("ENOENT"));
  });

  it("takes a name as long as names can be", async () => {
    const path = join(dir, "n".repeat(255));
    await writeFileAtomic(path, Buffer.from([1, 2, 3]), { mode: 0o600, durable: false });
    assert.deepEqual(readFileSync(path), Buffer.from([1, 2, 3]));
  });
});

describe("removeUnfinishedWrites", () => {
  it("removes what processes that are no more were writing, and nothing else", async () => {
    const sub = join(dir, "unfinished");
    mkdirSync(sub);
    const gone = 2 ** 31 - 1; // above any pid that the kernel gives out
    const kept = [
      `.tmp-${process.pid}-0123456789abcdef`,
      `.tmp-${process.ppid}-0123456789abcdef`,
      ".tmp-images.json1",
      "x",
    ];
    for (const name of [...kept, `.tmp-${gone}-0123456789abcdef`]) writeFileSync(join(sub, name), "");
    await removeUnfinishedWrites(sub, join(dir, "missing"));
    assert.deepEqual(readdirSync(sub).toSorted(), kept.toSorted());
  });
});

describe("readBounded", () => {
  it("reads up to the limit and not a byte more", async () => {
    const path = join(dir, "bounded");
    writeFileSync(path, Buffer.alloc(10_000, 7));
    assert.equal((await readBounded(path, 10_000)).length, 10_000);
    await assert.rejects(
      readBounded(path, 9_999),
      (error) => isFault(error, "exhausted") && /9999/.test(error.message),
    );
    writeFileSync(path, "");
    assert.equal((await readBounded(path, 0)).length, 0);
  });

  it("reads files of /proc, whose size is not known before", async () => {
    assert.match((await readBounded("/proc/self/status", 100_000)).toString(), /^Name:/);
    assert.ok((await readBounded("/proc/kallsyms", 100_000_000)).length > 100_000);
    await assert.rejects(readBounded("/proc/kallsyms", 50_000), (error) => isFault(error, "exhausted"));
  });

  it("passes the errno through, and does not hang on a FIFO", async () => {
    await assert.rejects(readBounded(join(dir, "missing"), 1), hasErrno("ENOENT"));
    await runProgramOk("/usr/bin/mkfifo", [join(dir, "fifo")], { timeoutMs: 10_000 });
    assert.equal((await readBounded(join(dir, "fifo"), 10)).length, 0);
  });
});

describe("syncFilesystem", () => {
  it("resolves, or rejects with the errno", async () => {
    const file = join(dir, "synced");
    writeFileSync(file, "x");
    await syncFilesystem(file);
    await syncFilesystem(dir);
    await assert.rejects(syncFilesystem(join(dir, "missing")), hasErrno("ENOENT"));
  });
});
