/** What the virtual machine is for: what a throw-away node on the build machine cannot show. */
import assert from "node:assert/strict";
import { readFile, statfs } from "node:fs/promises";
import { describe, it } from "node:test";
import { mustRun, run } from "../support/programs.ts";

const cgroup2Magic = 0x63677270;
const isGuest = (await readFile("/proc/cmdline", "utf8").catch(() => "")).includes("vmrun=");

describe("the virtual machine", { skip: isGuest ? false : "for the virtual machine: run ./test vm" }, () => {
  it("has systemd as process 1, and all its units running", async () => {
    assert.equal((await readFile("/proc/1/comm", "utf8")).trim(), "systemd");
    const state = (await run(["systemctl", "is-system-running", "--wait"])).stdout.trim();
    assert.equal(state, "running", (await run(["systemctl", "--failed", "--no-legend"])).stdout);
  });

  it("has pure cgroup v2 with the controllers that pods need", async () => {
    assert.equal((await statfs("/sys/fs/cgroup")).type, cgroup2Magic);
    const controllers = (await readFile("/sys/fs/cgroup/cgroup.controllers", "utf8")).trim().split(" ");
    for (const controller of ["cpu", "cpuset", "io", "memory", "pids"])
      assert.ok(controllers.includes(controller), controller);
  });

  it("has AppArmor and every capability", async () => {
    assert.equal((await readFile("/sys/module/apparmor/parameters/enabled", "utf8")).trim(), "Y");
    const effective = /^CapEff:\s+(\w+)$/m.exec(await readFile("/proc/self/status", "utf8"))?.[1];
    const all = (1n << (BigInt(await readFile("/proc/sys/kernel/cap_last_cap", "utf8")) + 1n)) - 1n;
    assert.equal(BigInt(`0x${effective}`), all);
  });

  it("starts scopes with limits through systemd", async () => {
    const script = 'cat "/sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup)/memory.max"';
    const scope = await mustRun(["systemd-run", "--quiet", "--scope", "-p", "MemoryMax=64M", "sh", "-c", script]);
    assert.equal(scope.stdout.trim(), String(64 << 20));
  });
});
