import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { isFault } from "../base/index.ts";
import { boundingCapabilities, ownCapabilities, parseCapabilities } from "./capabilities.ts";
import { isSameProcess, parseProcessStat, readProcess, sendSignal, signalSameProcess } from "./processes.ts";
import { adoptOrphan, becomeSubreaper, reapUnknownChildren } from "./reaper.ts";
import { runProgram, runProgramOk } from "./run-program.ts";
import { startProgram } from "./start-program.ts";

const timeoutMs = 20_000;
const sh = "/bin/sh";

describe("readProcess", () => {
  it("tells this process from its parent", async () => {
    const self = await readProcess(process.pid);
    assert.equal(self?.parent, process.ppid);
    assert.equal(self?.pid, process.pid);
    assert.match(self?.startTime ?? "", /^\d+$/);
    assert.equal(await readProcess(2 ** 30), undefined);
  });

  it("is not fooled by a process that names itself after the format", () => {
    const rest = Array.from({ length: 50 }, (_, index) => String(index + 4));
    const stat = parseProcessStat(`77 (a) Z 1 (b) ) S ${rest.join(" ")}\n`);
    assert.deepEqual(stat, {
      pid: 77,
      command: "a) Z 1 (b) ",
      state: "S",
      parent: 4,
      session: 6,
      threads: 20,
      startTime: "22",
    });
    for (const bad of ["", "77", "77 (a", "x (a) S 1", "77 (a) S 1"]) assert.equal(parseProcessStat(bad), undefined);
  });
});

describe("signals", () => {
  it("reach the process meant, and tell when it is gone", async () => {
    const program = await startProgram("/bin/sleep", ["300"], { stdio: [] });
    const startTime = (await readProcess(program.pid))?.startTime ?? "";
    assert.equal(await isSameProcess(program.pid, startTime), true);
    assert.equal(await signalSameProcess({ pid: program.pid, startTime: `${startTime}1` }, 15), false);
    assert.equal(sendSignal(program.pid, 0), true);
    assert.equal(await signalSameProcess({ pid: program.pid, startTime }, 15), true);
    assert.deepEqual(await program.exited, { is: "killed", signal: 15 });
    assert.equal(await isSameProcess(program.pid, startTime), false);
    assert.equal(await signalSameProcess({ pid: program.pid, startTime }, 15), false);
    assert.equal(sendSignal(program.pid, 15), false);
  });

  it("never go to a group or to everybody", () => {
    for (const pid of [0, -1, -77, 1.5, Number.NaN])
      assert.throws(
        () => sendSignal(pid, 9),
        (error) => isFault(error, "invalid"),
      );
  });
});

describe("a subreaper", () => {
  // The pause lets its parent end first: a shell may reap a child that ends before.
  const orphaning = async (script: string) => {
    const { stdout } = await runProgramOk(sh, ["-c", `(sleep 0.05; ${script}) </dev/null >/dev/null 2>&1 & echo $!`], {
      timeoutMs,
    });
    return Number(stdout.toString());
  };

  it("adopts orphans and gets their statuses", async () => {
    becomeSubreaper();
    const pids = await Promise.all([3, 4, 5].map((code) => orphaning(`sleep 0.1; exit ${code}`)));
    const ends = await Promise.all(pids.map((pid) => adoptOrphan(pid)));
    assert.deepEqual(
      ends,
      [3, 4, 5].map((code) => ({ is: "exited", code })),
    );
  });

  it("says when a process is no child of ours", async () => {
    await assert.rejects(adoptOrphan(process.pid), (error) => isFault(error, "not-found"));
    await assert.rejects(adoptOrphan(0), (error) => isFault(error, "invalid"));
  });

  it("lets a caller stop waiting", async () => {
    const pid = await orphaning("sleep 0.2; exit 9");
    await assert.rejects(adoptOrphan(pid, { signal: AbortSignal.abort(new Error("enough")) }), /enough/);
    assert.deepEqual(await adoptOrphan(pid), { is: "exited", code: 9 });
  });

  it("reaps zombies that nobody knows, and no others", async () => {
    const known = Array.from({ length: 20 }, (_, code) =>
      runProgram(sh, ["-c", `sleep 0.0${code % 10}; exit ${code}`], { timeoutMs }),
    );
    const orphans = await Promise.all(Array.from({ length: 10 }, (_, code) => orphaning(`exit ${code + 100}`)));
    const adopted = await orphaning("exit 55");
    const adopting = adoptOrphan(adopted);
    const reaped = new Map<number, unknown>();
    for (const end = Date.now() + 10_000; reaped.size < orphans.length && Date.now() < end; await delay(5)) {
      for (const { pid, status } of await reapUnknownChildren()) reaped.set(pid, status);
    }
    assert.deepEqual(
      orphans.map((pid) => reaped.get(pid)),
      orphans.map((_, code) => ({ is: "exited", code: code + 100 })),
    );
    assert.deepEqual(await adopting, { is: "exited", code: 55 });
    const ends = await Promise.all(known);
    assert.deepEqual(
      ends.map(({ exit }) => exit),
      ends.map((_, code) => ({ is: "exited", code })),
    );
  });
});

describe("capabilities", () => {
  it("are read from /proc", async () => {
    const own = await ownCapabilities();
    const bounding = await boundingCapabilities();
    for (const name of own) assert.ok(bounding.has(name));
    assert.ok(own.has("CAP_SYS_ADMIN"));
  });

  it("are named by bit", () => {
    const set = parseCapabilities("CapEff:\t0000010000000021\nCapBnd:\t0\n", "CapEff");
    assert.deepEqual([...set], ["CAP_CHOWN", "CAP_KILL", "CAP_CHECKPOINT_RESTORE"]);
    assert.equal(parseCapabilities("nothing", "CapBnd").size, 0);
  });
});
