/** Real cgroups of whichever version this kernel has, in cgroups of the test's own. Needs root. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { isFault, newId, silentLogger } from "../../src/base/index.ts";
import {
  type CgroupHost,
  type CgroupManager,
  type CgroupPath,
  childCgroup,
  createCgroupManager,
  detectCgroups,
  parseCgroupPath,
} from "../../src/cgroups/index.ts";
import { createSystemd, type StartedProgram, startProgram } from "../../src/host/index.ts";

const SIGKILL = 9;
const reason = process.geteuid?.() === 0 ? false : "making cgroups needs root";
const runsSystemd = existsSync("/run/systemd/system");

interface Place extends AsyncDisposable {
  readonly host: CgroupHost;
  readonly manager: CgroupManager;
  /** The parent of what the test makes; it does not exist yet. */
  readonly parent: CgroupPath;
  /** `sleep`, in `path` when given. */
  sleep(path?: CgroupPath): Promise<StartedProgram>;
}

async function place(): Promise<Place> {
  const host = await detectCgroups();
  const manager = createCgroupManager("cgroupfs", host, { log: silentLogger });
  const parent = parseCgroupPath(`/crio-ts-test-${newId().slice(0, 12)}`);
  const started: StartedProgram[] = [];
  return {
    host,
    manager,
    parent,
    async sleep(path) {
      const program = await startProgram("/usr/bin/sleep", ["600"], { stdio: [], newProcessGroup: true });
      started.push(program);
      if (path !== undefined) await manager.moveProcess(program.pid, path);
      return program;
    },
    async [Symbol.asyncDispose]() {
      for (const program of started) program.kill(SIGKILL);
      await Promise.all(started.map(({ exited }) => exited));
      await manager.removeTree(parent);
      assert.deepEqual(directoriesOf(host, parent), []);
    },
  };
}

/** Where a cgroup is, of all hierarchies. */
function directoriesOf(host: CgroupHost, path: CgroupPath): readonly string[] {
  return host.hierarchies.map(({ mountPoint }) => `${mountPoint}${path}`).filter((directory) => existsSync(directory));
}

describe("real cgroups", { skip: reason }, () => {
  it("of a dropped infra container are made in every hierarchy and removed with what is below", async () => {
    await using here = await place();
    const { host, manager, parent } = here;
    const infra = childCgroup(parent, "crio-1");
    await manager.createInfraCgroup(parent, "1");
    await manager.createInfraCgroup(parent, "1"); // a second time finds it there
    assert.equal(directoriesOf(host, infra).length, host.hierarchies.length);
    if (host.version === 1) {
      const balance = { path: infra, controller: "cpuset", file: "cpuset.sched_load_balance" };
      assert.equal((await manager.readSetting(balance))?.trim(), "0");
      assert.notEqual((await manager.readSetting({ ...balance, file: "cpuset.cpus" }))?.trim(), "");
    }
    for (const directory of directoriesOf(host, infra)) mkdirSync(`${directory}/below/deeper`, { recursive: true });
    await manager.removeInfraCgroup(parent, "1");
    assert.deepEqual(directoriesOf(host, infra), []);
    await manager.removeInfraCgroup(parent, "1");
    await manager.createInfraCgroup("", "1");
    await manager.removeInfraCgroup("", "1");
  });

  it("give up all their processes, also those below and those that are frozen", async () => {
    await using here = await place();
    const { host, manager, parent } = here;
    await manager.createInfraCgroup(parent, "1");
    const infra = childCgroup(parent, "crio-1");
    const inner = childCgroup(infra, "inner");
    for (const directory of directoriesOf(host, infra)) mkdirSync(`${directory}/inner`);
    await fillCpuset(manager, inner);
    const programs = [await here.sleep(inner), await here.sleep(inner)];
    assert.deepEqual(
      await manager.processes(infra),
      programs.map(({ pid }) => pid).toSorted((a, b) => a - b),
    );
    assert.equal(await manager.cgroupOf(programs[0]?.pid ?? 0), inner);
    assert.equal(await manager.freezerState(inner), "thawed");
    await freeze(manager, inner);
    await until(async () => (await manager.freezerState(inner)) === "frozen");
    await assert.rejects(manager.removeTree(infra, { timeoutMs: 50 }), (error) => isFault(error, "deadline"));
    await manager.killAll(infra);
    for (const program of programs) assert.deepEqual(await program.exited, { is: "killed", signal: SIGKILL });
    assert.deepEqual(await manager.processes(infra), []);
  });

  it("of threads are killed with the cgroup that they belong to", async (t) => {
    await using here = await place();
    const { host, manager, parent } = here;
    if (host.version === 1) return t.skip("v2 alone has threaded cgroups");
    await manager.createInfraCgroup(parent, "1");
    const domain = childCgroup(parent, "crio-1");
    const threaded = childCgroup(domain, "threads");
    for (const directory of directoriesOf(host, domain)) mkdirSync(`${directory}/threads`);
    await manager.writeSetting({ path: threaded, controller: "core", file: "cgroup.type" }, "threaded");
    const program = await here.sleep(domain);
    await manager.writeSetting({ path: threaded, controller: "core", file: "cgroup.threads" }, String(program.pid));
    assert.deepEqual(await manager.processes(domain), [program.pid]);
    await manager.killAll(domain);
    assert.deepEqual(await program.exited, { is: "killed", signal: SIGKILL });
  });

  it("of a monitor have its limits and it, and go when it has gone", async () => {
    await using here = await place();
    const { host, manager, parent } = here;
    const monitor = await here.sleep();
    const path = childCgroup(parent, "crio-conmon-1");
    await manager.placeMonitor({
      pid: monitor.pid,
      containerId: "1",
      parent,
      monitorCgroup: "",
      resources: { cpuShares: 512n, cpuset: "0", cpuQuota: 50_000n },
    });
    const read = async (controller: string, file: string) =>
      (await manager.readSetting({ path, controller, file: `${controller}.${file}` }))?.trim();
    assert.equal(await read("cpuset", "cpus"), "0");
    if (host.version === 2) {
      assert.deepEqual([await read("cpu", "weight"), await read("cpu", "max")], ["59", "50000 100000"]);
    } else {
      assert.deepEqual([await read("cpu", "shares"), await read("cpu", "cfs_quota_us")], ["512", "50000"]);
    }
    assert.deepEqual(await manager.processes(path), [monitor.pid]);
    monitor.kill(SIGKILL);
    await monitor.exited;
    await manager.removeMonitorCgroup({ containerId: "1", parent });
    await manager.removeMonitorCgroup({ containerId: "1", parent });
    assert.deepEqual(directoriesOf(host, path), []);
  });

  it("of a monitor that is gone already are not left behind", async () => {
    await using here = await place();
    const monitor = await here.sleep();
    monitor.kill(SIGKILL);
    await monitor.exited;
    const { host, manager, parent } = here;
    const placement = { pid: monitor.pid, containerId: "1", parent, monitorCgroup: "pod" };
    await assert.rejects(manager.placeMonitor(placement), /cgroup\.procs: ESRCH/);
    assert.deepEqual(directoriesOf(host, childCgroup(parent, "crio-conmon-1")), []);
  });

  it("tell how a process fares", async () => {
    await using here = await place();
    const { host, manager, parent } = here;
    await manager.createInfraCgroup(parent, "1");
    const path = childCgroup(parent, "crio-1");
    await enable(host, parent, ["cpu", "memory", "pids", "io"]);
    const program = await here.sleep(path);
    const readings = await manager.readings(path, ["cpu", "memory", "memoryHistory", "pids", "io", "pressure"]);
    assert.ok(readings.cpu !== undefined && readings.cpu.usageNanos >= 0n);
    assert.ok(readings.memory !== undefined && readings.memory.usageBytes >= readings.memory.workingSetBytes);
    assert.equal(readings.memory.limitBytes, undefined);
    assert.equal(readings.memoryHistory?.oomKills, 0n);
    assert.equal(readings.pids?.current, 1n);
    assert.equal(await manager.oomKills(path), 0n);
    const limit = host.version === 2 ? "memory.max" : "memory.limit_in_bytes";
    await manager.writeSetting({ path, controller: "memory", file: limit }, String(64 * 1024 * 1024));
    assert.equal(await manager.parentMemoryLimit(path), 64n * 1024n * 1024n);
    await assert.rejects(manager.requireParentMemory(path, 2n ** 30n), /pod set memory limit 67108864 too low/);
    const refused = manager.writeSetting({ path, controller: "memory", file: limit }, "nonsense");
    await assert.rejects(refused, (error) => isFault(error, "failed") && /EINVAL/.test(error.message));
    program.kill(SIGKILL);
  });

  it("count the processes that the kernel killed for want of memory", async () => {
    await using here = await place();
    const { host, manager, parent } = here;
    await manager.createInfraCgroup(parent, "1");
    const path = childCgroup(parent, "crio-1");
    await enable(host, parent, ["memory"]);
    const limit = host.version === 2 ? "memory.max" : "memory.limit_in_bytes";
    await manager.writeSetting({ path, controller: "memory", file: limit }, String(8 * 1024 * 1024));
    // Waits for a line, so that it is moved before it grows; then grows without end.
    const script = "read go; x=0123456789abcdef; while :; do x=$x$x; done";
    const program = await startProgram("/bin/sh", ["-c", script], { stdio: ["write"], newProcessGroup: true });
    program.stdio[0]?.on("error", () => {});
    await manager.moveProcess(program.pid, path);
    program.stdio[0]?.write("go\n");
    assert.deepEqual(await program.exited, { is: "killed", signal: SIGKILL });
    assert.equal(await manager.oomKills(path), 1n);
  });
});

describe("the scope of a monitor", { skip: runsSystemd ? false : "systemd is not the init of this machine" }, () => {
  it("takes it in, with its limits, and goes when it has gone", async () => {
    const host = await detectCgroups();
    const systemd = createSystemd();
    const manager = createCgroupManager("systemd", host, { log: silentLogger, systemd });
    const monitor = await startProgram("/usr/bin/sleep", ["600"], { stdio: [], newProcessGroup: true });
    const containerId = newId();
    const parent = "crio_ts_test-pod1.slice";
    try {
      const resources = { cpuShares: 512n, cpuset: "0", cpuQuota: 50_000n };
      await manager.placeMonitor({ pid: monitor.pid, containerId, parent, monitorCgroup: "pod", resources });
      const path = parseCgroupPath(`${manager.podCgroup(parent)}/crio-conmon-${containerId}.scope`);
      assert.equal(await manager.cgroupOf(monitor.pid), path);
      const read = async (controller: string, file: string) =>
        (await manager.readSetting({ path, controller, file: `${controller}.${file}` }))?.trim();
      assert.equal(await read("cpu", "weight"), "50");
      assert.equal(await read("cpu", "max"), "50000 100000");
      assert.equal(await read("cpuset", "cpus"), "0");
      monitor.kill(SIGKILL);
      await monitor.exited;
      await manager.removeMonitorCgroup({ containerId, parent });
      await manager.removeMonitorCgroup({ containerId, parent });
      assert.deepEqual(directoriesOf(host, path), []);
      await manager.createInfraCgroup(parent, containerId);
      assert.equal(
        directoriesOf(host, childCgroup(manager.podCgroup(parent) ?? path, `crio-${containerId}`)).length,
        1,
      );
      await manager.removeInfraCgroup(parent, containerId);
    } finally {
      monitor.kill(SIGKILL);
      await monitor.exited;
      systemd.close();
      await manager.removeTree(parseCgroupPath("/crio_ts_test.slice"));
    }
  });
});

/** A container would find this done by its runtime. */
async function enable(host: CgroupHost, parent: CgroupPath, controllers: readonly string[]): Promise<void> {
  if (host.version === 1) return;
  for (const directory of ["", parent]) {
    const control = `${host.hierarchies[0]?.mountPoint}${directory}/cgroup.subtree_control`;
    await writeFile(control, controllers.map((name) => `+${name}`).join(" "));
  }
}

async function fillCpuset(manager: CgroupManager, path: CgroupPath): Promise<void> {
  if (manager.version === 2) return;
  await manager.writeSetting({ path, controller: "cpuset", file: "cpuset.cpus" }, "0");
  await manager.writeSetting({ path, controller: "cpuset", file: "cpuset.mems" }, "0");
}

async function freeze(manager: CgroupManager, path: CgroupPath): Promise<void> {
  const v2 = { path, controller: "core", file: "cgroup.freeze" };
  const v1 = { path, controller: "freezer", file: "freezer.state" };
  await (manager.version === 2 ? manager.writeSetting(v2, "1") : manager.writeSetting(v1, "FROZEN"));
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const limit = Date.now() + 10_000;
  while (!(await isSo())) {
    assert.ok(Date.now() < limit, "it does not come about");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
