import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { lockFile } from "./file-locks.ts";
import { runProgram } from "./run-program.ts";
import { startProgram } from "./start-program.ts";

const dir = mkdtempSync(join(tmpdir(), "host-locks-"));
after(() => rmSync(dir, { recursive: true, force: true }));
const timeoutMs = 20_000;
const faulted = (code: Parameters<typeof isFault>[1], pattern: RegExp) => (error: unknown) => {
  assert.ok(isFault(error, code), `expected a Fault(${code}), got ${error}`);
  assert.match(error.message, pattern);
  return true;
};

/** Whether another process could take the lock at this moment. */
async function othersCanLock(path: string, mode: "read" | "write"): Promise<boolean> {
  const script = `import fcntl, sys
try: fcntl.lockf(open(sys.argv[1], "r+"), fcntl.${mode === "read" ? "LOCK_SH" : "LOCK_EX"} | fcntl.LOCK_NB)
except BlockingIOError: sys.exit(3)`;
  const { exit, stderr } = await runProgram("/usr/bin/python3", ["-c", script, path], { timeoutMs });
  assert.equal(stderr.toString(), "");
  return exit.is === "exited" && exit.code === 0;
}

/** Another process that holds the lock until told to go. */
async function otherHolder(path: string, mode: "read" | "write") {
  const script = `import fcntl, sys
f = open(sys.argv[1], "a+"); fcntl.lockf(f, fcntl.${mode === "read" ? "LOCK_SH" : "LOCK_EX"})
print("locked", flush=True); sys.stdin.read()`;
  const program = await startProgram("/usr/bin/python3", ["-c", script, path], { stdio: ["write", "read", "inherit"] });
  const [input, output] = program.stdio;
  await new Promise((resolve) => output?.once("data", resolve));
  return {
    pid: program.pid,
    async go() {
      input?.end();
      await program.exited;
      output?.destroy();
    },
  };
}

describe("lockFile", () => {
  it("keeps other processes out, readers only from writing", async () => {
    const path = join(dir, "a.lock");
    const writer = await lockFile(path, "write", { timeoutMs });
    assert.equal(await othersCanLock(path, "read"), false);
    writer.release();
    const reader = await lockFile(path, "read", { timeoutMs });
    assert.equal(await othersCanLock(path, "read"), true);
    assert.equal(await othersCanLock(path, "write"), false);
    reader.release();
    assert.equal(await othersCanLock(path, "write"), true);
  });

  it("waits for another process, and says which when it waited too long", async () => {
    const path = join(dir, "b.lock");
    const other = await otherHolder(path, "read");
    (await lockFile(path, "read", { timeoutMs })).release();
    await assert.rejects(
      lockFile(path, "write", { timeoutMs: 100 }),
      faulted("deadline", new RegExp(`b\\.lock for writing: not within 0\\.1 s: process ${other.pid} \\(python3`)),
    );
    const waiting = lockFile(path, "write", { timeoutMs });
    await other.go();
    using lock = await waiting;
    assert.equal(typeof lock.fd, "number");
    assert.equal(await othersCanLock(path, "read"), false);
  });

  it("keeps the lock while any reader of this process is left", async () => {
    const path = join(dir, "c.lock");
    const readers = await Promise.all([1, 2, 3].map(() => lockFile(path, "read", { timeoutMs })));
    for (const reader of readers.splice(1)) {
      reader.release();
      reader.release();
    }
    assert.equal(await othersCanLock(path, "write"), false);
    readers[0]?.release();
    assert.equal(await othersCanLock(path, "write"), true);
  });

  it("lets one writer in at a time, in the order of asking, and readers not past a waiting writer", async () => {
    const path = join(dir, "d.lock");
    const order: string[] = [];
    const turn = async (name: string, mode: "read" | "write") => {
      using _lock = await lockFile(path, mode, { timeoutMs });
      order.push(`${name} in`);
      await new Promise((resolve) => setImmediate(resolve));
      order.push(`${name} out`);
    };
    await Promise.all([
      turn("r1", "read"),
      turn("w1", "write"),
      turn("r2", "read"),
      turn("r3", "read"),
      turn("w2", "write"),
    ]);
    const expected = ["r1 in", "r1 out", "w1 in", "w1 out", "r2 in", "r3 in", "r2 out", "r3 out", "w2 in", "w2 out"];
    assert.deepEqual(order, expected);
    assert.equal(await othersCanLock(path, "write"), true);
  });

  it("lets a caller leave the queue, and those behind it in", async () => {
    const path = join(dir, "e.lock");
    const reader = await lockFile(path, "read", { timeoutMs });
    const controller = new AbortController();
    const writer = lockFile(path, "write", { timeoutMs, signal: controller.signal });
    const behind = lockFile(path, "read", { timeoutMs });
    controller.abort(new Error("no longer wanted"));
    await assert.rejects(writer, faulted("cancelled", /e\.lock for writing: no longer wanted/));
    (await behind).release();
    await assert.rejects(
      lockFile(path, "write", { timeoutMs: 30 }),
      faulted("deadline", /other work in this process holds it/),
    );
    reader.release();
    (await lockFile(path, "write", { timeoutMs })).release();
  });

  it("gives access to the change token", async () => {
    const path = join(dir, "f.lock");
    writeFileSync(path, "");
    using lock = await lockFile(path, "write", { timeoutMs });
    writeSync(lock.fd, Buffer.alloc(64, 7), 0, 64, 0);
    assert.equal(existsSync(path), true);
    // Not read back by name here: closing that descriptor would drop the lock.
    assert.equal(await othersCanLock(path, "read"), false);
    lock.release();
    assert.deepEqual(readFileSync(path), Buffer.alloc(64, 7));
  });

  it("says when the file cannot be made", async () => {
    const path = join(dir, "no-dir", "g.lock");
    await assert.rejects(lockFile(path, "write", { timeoutMs }), faulted("failed", /g\.lock for writing: ENOENT/));
    await assert.rejects(lockFile(path, "write", { timeoutMs }), faulted("failed", /g\.lock for writing: ENOENT/));
  });

  it("holds its own against another process: no update is lost", async () => {
    const path = join(dir, "counter.lock");
    const counter = join(dir, "counter");
    writeFileSync(counter, "0");
    const script = `import fcntl, sys
for _ in range(100):
  with open(sys.argv[1], "a+") as lock:
    fcntl.lockf(lock, fcntl.LOCK_EX)
    n = int(open(sys.argv[2]).read()); open(sys.argv[2], "w").write(str(n + 1))`;
    const other = runProgram("/usr/bin/python3", ["-c", script, path, counter], { timeoutMs });
    const ours = Array.from({ length: 100 }, async () => {
      using _lock = await lockFile(path, "write", { timeoutMs });
      const before = Number(readFileSync(counter, "utf8"));
      await new Promise((resolve) => setImmediate(resolve));
      writeFileSync(counter, String(before + 1));
    });
    await Promise.all([other, ...ours]);
    assert.equal(readFileSync(counter, "utf8"), "200");
  });
});
