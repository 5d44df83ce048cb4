import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { isFault } from "../base/index.ts";
import { findProgram } from "./find-program.ts";
import { readProcess } from "./processes.ts";
import { runProgram, runProgramOk } from "./run-program.ts";
import { type StdioPlan, startProgram } from "./start-program.ts";

const sh = "/bin/sh";
const timeoutMs = 20_000;
const faulted = (code: Parameters<typeof isFault>[1], pattern: RegExp) => (error: unknown) => {
  assert.ok(isFault(error, code), `expected a Fault(${code}), got ${error}`);
  assert.match(error.message, pattern);
  return true;
};

describe("runProgram", () => {
  let dir: string;
  before(() => {
    dir = mkdtempSync(join(tmpdir(), "host-programs-"));
  });
  after(() => rmSync(dir, { recursive: true }));

  it("collects both streams and the exit status", async () => {
    const result = await runProgram(sh, ["-c", "echo out; echo err >&2; exit 7"], { timeoutMs });
    assert.deepEqual(result.exit, { is: "exited", code: 7 });
    assert.equal(result.stdout.toString(), "out\n");
    assert.equal(result.stderr.toString(), "err\n");
  });

  it("tells a signal from an exit status", async () => {
    const result = await runProgram(sh, ["-c", "kill -TERM $$"], { timeoutMs });
    assert.deepEqual(result.exit, { is: "killed", signal: 15 });
  });

  it("gets every status right when 300 programs run at once", async () => {
    const codes = Array.from({ length: 300 }, (_, index) => index % 256);
    const results = await Promise.all(codes.map((code) => runProgram(sh, ["-c", `exit ${code}`], { timeoutMs })));
    assert.deepEqual(
      results.map(({ exit }) => exit),
      codes.map((code) => ({ is: "exited", code })),
    );
  });

  it("hands over input larger than a pipe holds, and output as large", async () => {
    const input = Buffer.alloc(900_000, "0123456789");
    const result = await runProgram("/bin/cat", [], { timeoutMs, input });
    assert.ok(result.stdout.equals(input));
  });

  it("does not mind a program that leaves its input unread", async () => {
    const result = await runProgram("/bin/true", [], { timeoutMs, input: Buffer.alloc(1_000_000) });
    assert.deepEqual(result.exit, { is: "exited", code: 0 });
  });

  it("passes environment and working directory, and nothing else of ours", async () => {
    const result = await runProgram(sh, ["-c", "pwd; /usr/bin/env"], {
      timeoutMs,
      cwd: dir,
      env: { A: "1", B: "x y" },
    });
    const [cwd, ...env] = result.stdout.toString().trim().split("\n");
    assert.equal(cwd, dir);
    assert.deepEqual(env.filter((line) => /^[AB]=/.test(line)).sort(), ["A=1", "B=x y"]);
    assert.ok(!env.some((line) => line.startsWith("HOME=")));
  });

  it("starts children with default signal handling, in a session of their own", async () => {
    const { stdout } = await runProgram(sh, ["-c", "cat /proc/self/status; cat /proc/$$/stat"], { timeoutMs });
    assert.match(stdout.toString(), /^SigBlk:\s+0+$/m);
    assert.match(stdout.toString(), /^SigIgn:\s+0+$/m);
    const [pid, , , , group, session] = stdout.toString().trim().split("\n").at(-1)?.split(" ") ?? [];
    assert.equal(group, pid);
    assert.equal(session, pid);
  });

  it("kills grandchildren too at the deadline, and says what was run and what it said", async () => {
    const script = "echo first words >&2; sleep 300 & echo $! >grandchild; wait";
    await assert.rejects(
      runProgram(sh, ["-c", script], { timeoutMs: 300, cwd: dir }),
      faulted("deadline", /\/bin\/sh -c echo first words.*no end after 0\.3 s.*first words/),
    );
    const grandchild = Number(
      (await runProgram("/bin/cat", ["grandchild"], { timeoutMs, cwd: dir })).stdout.toString(),
    );
    await until(async () => {
      const found = await readProcess(grandchild);
      return found === undefined || found.state === "Z";
    });
  });

  it("kills the program when the signal aborts", async () => {
    const controller = new AbortController();
    const running = runProgram("/bin/sleep", ["300"], { timeoutMs, signal: controller.signal });
    controller.abort(new Error("the pod is gone"));
    await assert.rejects(running, faulted("cancelled", /the pod is gone/));
    await assert.rejects(
      runProgram("/bin/sleep", ["300"], { timeoutMs, signal: controller.signal }),
      faulted("cancelled", /not started/),
    );
  });

  it("stops a program that writes without end", async () => {
    const options = { timeoutMs, maxOutputBytes: 100_000 };
    await assert.rejects(
      runProgram("/usr/bin/yes", [], options),
      faulted("exhausted", /100000 bytes.*standard output/),
    );
    const fits = await runProgram(sh, ["-c", "head -c 100000 /dev/zero"], options);
    assert.equal(fits.stdout.length, 100_000);
  });

  it("does not wait for a descendant that keeps the pipes open", async () => {
    const result = await runProgram(sh, ["-c", "sleep 30 & echo $!; exit 3"], { timeoutMs });
    assert.deepEqual(result.exit, { is: "exited", code: 3 });
    process.kill(Number(result.stdout.toString()), "SIGKILL");
  });

  it("loses no output while the event loop is blocked past the grace", async () => {
    const running = runProgram(sh, ["-c", "sleep 300 & echo $!; exit 0"], { timeoutMs });
    await delay(0);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600);
    const { stdout } = await running;
    assert.match(stdout.toString(), /^\d+\n$/);
    process.kill(Number(stdout.toString()), "SIGKILL");
  });

  it("says which program is missing, is not executable, or has no path", async () => {
    const run = (path: string, cwd?: string) => runProgram(path, [], { timeoutMs, ...(cwd && { cwd }) });
    await assert.rejects(run("/no/such/program"), faulted("not-found", /\/no\/such\/program: ENOENT/));
    await assert.rejects(run("/etc/passwd"), faulted("denied", /\/etc\/passwd: EACCES/));
    await assert.rejects(run("/bin/true", "/no/such/dir"), faulted("not-found", /\/no\/such\/dir/));
    await assert.rejects(run("true"), faulted("invalid", /a path is needed/));
    await assert.rejects(run("/bin/tr\0ue"), faulted("invalid", /NUL/));
    writeFileSync(join(dir, "not-a-program"), "no magic, no interpreter\n", { mode: 0o755 });
    await assert.rejects(run(join(dir, "not-a-program")), faulted("failed", /ENOEXEC/));
  });

  it("waits a little for a program that somebody is still writing", async () => {
    const path = join(dir, "fresh");
    writeFileSync(path, "#!/bin/sh\nexit 4\n", { mode: 0o755 });
    const fd = openSync(path, "r+");
    setTimeout(() => closeSync(fd), 40);
    const result = await runProgram(path, [], { timeoutMs });
    assert.deepEqual(result.exit, { is: "exited", code: 4 });
  });

  it("keeps the program's words when it fails", async () => {
    await assert.rejects(
      runProgramOk(sh, ["-c", "echo one >&2; echo two >&2; exit 5"], { timeoutMs }),
      faulted("failed", /^\/bin\/sh -c .* failed: exit status 5: one \| two$/),
    );
    await assert.rejects(runProgramOk(sh, ["-c", "kill -9 $$"], { timeoutMs }), faulted("failed", /failed: signal 9$/));
  });
});

describe("startProgram", () => {
  // Not by listing the directory: that opens a descriptor.
  const listing = ["-c", "n=0; while [ $n -lt 500 ]; do [ -e /proc/$$/fd/$n ] && echo $n; n=$((n+1)); done; true"];

  it("leaks no descriptor to children", async () => {
    const { stdout } = await runProgram(sh, listing, { timeoutMs });
    assert.equal(stdout.toString(), "0\n1\n2\n");
  });

  it("puts descriptors where the plan wants them, also when they cross", async () => {
    const [a, b] = [openSync("/etc/hostname", "r"), openSync("/etc/passwd", "r")];
    const low = Math.max(a, b) + 1;
    const stdio = Array.from({ length: low }, (_, fd): StdioPlan => {
      if (fd === 1) return "read";
      if (fd === a) return { fd: b };
      return fd === b ? { fd: a } : "null";
    });
    const program = await startProgram(sh, ["-c", `readlink /proc/$$/fd/${a}; readlink /proc/$$/fd/${b}`], { stdio });
    assert.equal(await textOf(program.stdio[1]), "/etc/passwd\n/etc/hostname\n");
    await program.exited;
    closeSync(a);
    closeSync(b);
  });

  it("talks both ways over a socket, and one way over extra pipes", async () => {
    const program = await startProgram(sh, ["-c", "read x <&3; echo got $x >&3; cat <&4 >&5"], {
      stdio: ["null", "null", "null", "socket", "write", "read"],
    });
    const [, , , socket, into, out] = program.stdio;
    socket?.write("hello\n");
    into?.end("through");
    assert.equal(await textOf(socket), "got hello\n");
    assert.equal(await textOf(out), "through");
    assert.deepEqual(await program.exited, { is: "exited", code: 0 });
  });

  it("leaves no descriptor behind here, whether it starts or not", async () => {
    const count = () => readdirSync("/proc/self/fd").length;
    await runProgram("/bin/true", [], { timeoutMs });
    const before = count();
    for (let round = 0; round < 20; round++) {
      await runProgram("/bin/true", [], { timeoutMs, input: "x" });
      await assert.rejects(runProgram("/no/such", [], { timeoutMs, input: "x" }));
    }
    await until(async () => count() <= before);
  });

  it("signals the program alone, or its group", async () => {
    const alone = await startProgram("/bin/sleep", ["300"], { stdio: [] });
    alone.kill(15);
    assert.deepEqual(await alone.exited, { is: "killed", signal: 15 });
    alone.kill(15); // nothing, and no error
    const group = await startProgram(sh, ["-c", "sleep 300 & echo $!; wait"], {
      stdio: ["null", "read"],
      newProcessGroup: true,
    });
    const out = group.stdio[1];
    const sleeper = Number(await new Promise<string>((resolve) => out?.once("data", (text) => resolve(String(text)))));
    group.kill(9);
    await group.exited;
    await until(async () => ["Z", undefined].includes((await readProcess(sleeper))?.state));
    out?.destroy();
  });

  it("keeps Node running until the child has ended", async () => {
    const source = `import { startProgram } from ${JSON.stringify(new URL("./start-program.ts", import.meta.url))};
      const sleep = await startProgram("/bin/sleep", ["0.3"], { stdio: [] });
      sleep.exited.then((s) => console.log(s.is, s.code));`;
    const { stdout } = await runProgramOk(process.execPath, ["--input-type=module", "-e", source], { timeoutMs });
    assert.equal(stdout.toString(), "exited 0\n");
  });
});

describe("findProgram", () => {
  it("finds executables in the search path only", async () => {
    assert.equal(await findProgram("sh", "/nowhere:/etc:/bin:/usr/bin"), "/bin/sh");
    assert.equal(await findProgram("passwd", "/etc"), undefined);
    assert.equal(await findProgram("/bin/sh"), "/bin/sh");
    assert.equal(await findProgram("no-such-program-anywhere"), undefined);
  });
});

async function textOf(stream: AsyncIterable<Buffer> | undefined): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream ?? []) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 10_000;
  while (!(await condition())) {
    assert.ok(Date.now() < end, "not within 10 s");
    await delay(5);
  }
}
