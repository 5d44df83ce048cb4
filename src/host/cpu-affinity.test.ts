import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { onAllCpus } from "./cpu-affinity.ts";
import { runProgram } from "./run-program.ts";
import { startProgram } from "./start-program.ts";

async function cpusOf(options: { readonly cpus?: readonly number[] }): Promise<string> {
  const { stdout } = await runProgram("/bin/grep", ["Cpus_allowed_list", "/proc/self/status"], {
    timeoutMs: 10_000,
    ...options,
  });
  return stdout.toString().split(/\s+/)[1] ?? "";
}

describe("the CPUs of a program", () => {
  it("are those it was given; ours stay as they are", async () => {
    const ours = async () => /Cpus_allowed_list:\s+(\S+)/.exec(await readFile("/proc/thread-self/status", "utf8"))?.[1];
    const before = await cpusOf({});
    const last = before.split(/[-,]/).at(-1) ?? "0";
    assert.equal(await cpusOf({ cpus: [Number(last)] }), last);
    assert.equal(await cpusOf({ cpus: [] }), before);
    assert.equal(await ours(), before);
  });

  it("can be all again once it runs", async () => {
    const all = await cpusOf({});
    const program = await startProgram("/bin/sleep", ["60"], { stdio: [], cpus: [0] });
    try {
      const now = async () =>
        /Cpus_allowed_list:\s+(\S+)/.exec(await readFile(`/proc/${program.pid}/status`, "utf8"))?.[1];
      assert.equal(await now(), "0");
      await onAllCpus(program.pid);
      assert.equal(await now(), all);
    } finally {
      program.kill(9);
      await program.exited;
    }
    await onAllCpus(program.pid);
  });

  it("have to exist", async () => {
    for (const cpu of [8191, 8192]) {
      await assert.rejects(cpusOf({ cpus: [cpu] }), (error) => isFault(error, "invalid"));
    }
  });
});
