import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { isFault, silentLogger } from "../base/index.ts";
import { cpuMask, parseCpuList } from "./cpu-list.ts";
import { systemdWeightFromShares, weightFromShares } from "./cpu-weight.ts";
import { fakeHost } from "./fake-host.ts";
import { createCgroupManager } from "./manager.ts";
import { monitorSettings } from "./monitor-cgroupfs.ts";
import { givenResources, type MonitorPlacement } from "./monitor-plan.ts";
import { monitorScope, monitorUnit } from "./monitor-systemd.ts";
import { parseCgroupPath } from "./path.ts";

const invalid = (error: unknown) => isFault(error, "invalid");
const placement: MonitorPlacement = {
  pid: 42,
  containerId: "3f2a",
  parent: "kubepods-pod1.slice",
  monitorCgroup: "system.slice",
};

describe("the scope of a monitor", () => {
  it("is in the configured slice, or the pod's, or system.slice", () => {
    assert.equal(monitorUnit("3f2a"), "crio-conmon-3f2a.scope");
    const sliceFor = (part: Partial<MonitorPlacement>) => monitorScope({ ...placement, ...part }, 2).slice;
    assert.equal(sliceFor({ monitorCgroup: "monitors.slice" }), "monitors.slice");
    assert.equal(sliceFor({ monitorCgroup: "pod" }), "kubepods-pod1.slice");
    assert.equal(sliceFor({ monitorCgroup: "pod", parent: "" }), "system.slice");
    assert.equal(sliceFor({ monitorCgroup: "" }), "system.slice");
    for (const monitorCgroup of ["else", "a:b.slice", "../x.slice"]) {
      assert.throws(() => monitorScope({ ...placement, monitorCgroup }, 2), invalid);
    }
  });

  it("is delegated, ignores its stop signal, comes after crio and outlives the shutdown of services", () => {
    assert.deepEqual(monitorScope(placement, 2), {
      pids: [42],
      slice: "system.slice",
      delegate: true,
      defaultDependencies: false,
      killSignal: 13,
      after: ["crio.service"],
    });
  });

  it("has limits in the words of the cgroup version", () => {
    const resources = { cpuShares: 512n, cpuset: "0-1,9", cpuQuota: 5000n };
    const v1 = monitorScope({ ...placement, resources }, 1);
    assert.deepEqual([v1.cpuShares, v1.cpuWeight, v1.allowedCpus], [512n, undefined, undefined]);
    assert.deepEqual(v1.cpuQuota, { quotaMicros: 5000n, periodMicros: 100_000n });
    const v2 = monitorScope({ ...placement, resources }, 2);
    assert.deepEqual([v2.cpuShares, v2.cpuWeight, v2.allowedCpus], [undefined, 50n, Uint8Array.of(3, 2)]);
  });
});

describe("the cgroup of a monitor under cgroupfs", () => {
  const path = parseCgroupPath("/pod1/crio-conmon-3f2a");
  const shown = (version: 1 | 2) =>
    monitorSettings(
      path,
      givenResources({ cpuShares: 1024n, cpuset: "0-2", cpuQuota: 5000n, cpuPeriod: 10_000n }),
      version,
    ).map(([{ controller, file }, value]) => `${controller} ${file}=${value}`);

  it("has limits in the files of the cgroup version", () => {
    const cpus = "cpuset cpuset.cpus=0,1,2";
    assert.deepEqual(shown(2), [cpus, "cpu cpu.weight=100", "cpu cpu.max=5000 10000"]);
    assert.deepEqual(shown(1), [
      cpus,
      "cpu cpu.shares=1024",
      "cpu cpu.cfs_period_us=10000",
      "cpu cpu.cfs_quota_us=5000",
    ]);
  });

  it("is not made when nothing asks for it, and refuses a place that only systemd has", async () => {
    await using fake = await fakeHost(1);
    const manager = createCgroupManager("cgroupfs", fake.host, { log: silentLogger });
    await manager.placeMonitor({
      ...placement,
      parent: "/pod1",
      monitorCgroup: "",
      resources: { cpuShares: 0n, cpuset: "" },
    });
    await assert.rejects(readFile(join(fake.directory, "cpu/pod1/cgroup.procs")), { code: "ENOENT" });
    await assert.rejects(manager.placeMonitor(placement), invalid);
  });

  it("needs a connection under systemd", async () => {
    await using fake = await fakeHost(2);
    const manager = createCgroupManager("systemd", fake.host, { log: silentLogger });
    await assert.rejects(manager.placeMonitor(placement), (error) => isFault(error, "precondition"));
  });
});

describe("the resources of a monitor", () => {
  it("are what is given, within the kernel's range", () => {
    assert.deepEqual(givenResources({ cpuShares: 0n, cpuset: "", cpuQuota: 0n, cpuPeriod: 5n }), {});
    assert.deepEqual(givenResources({ cpuShares: 1n }), { cpuShares: 2n });
    assert.deepEqual(givenResources({ cpuShares: 2n ** 63n }), { cpuShares: 262_144n });
    assert.deepEqual(givenResources({ cpuQuota: -1n }), { cpuQuota: -1n, cpuPeriod: 100_000n });
  });
});

describe("a list of CPUs", () => {
  it("is read as the kernel writes it", () => {
    assert.deepEqual(parseCpuList("0-2,7,5,2\n"), [0, 1, 2, 5, 7]);
    assert.deepEqual(parseCpuList(""), []);
    for (const bad of ["a", "3-1", "1-", "-1", "1,,2", "8192", "0-99999", "1 2", "0x1", "1,"]) {
      assert.throws(() => parseCpuList(bad), invalid, bad);
    }
  });

  it("is a mask with the lowest CPU first", () => {
    assert.deepEqual(cpuMask([]), Uint8Array.of());
    assert.deepEqual(cpuMask([0, 8, 10]), Uint8Array.of(1, 5));
  });
});

describe("a CPU weight", () => {
  it("follows the curve of OCI runtimes, and systemd's own", () => {
    assert.deepEqual([0n, 2n, 1024n, 262_144n, 2n ** 63n].map(weightFromShares), [1n, 1n, 100n, 10_000n, 10_000n]);
    assert.deepEqual([2n, 512n, 1024n, 262_144n].map(systemdWeightFromShares), [1n, 50n, 100n, 10_000n]);
  });
});

describe("the memory limit of a pod", () => {
  it("is refused below what a container needs, with CRI-O's words", async () => {
    await using fake = await fakeHost(2, {
      "unified/pod1/memory.max": "1048576\n",
      "unified/pod2/memory.max": "max\n",
    });
    const manager = createCgroupManager("cgroupfs", fake.host, { log: silentLogger });
    assert.equal(await manager.parentMemoryLimit("/pod1"), 1_048_576n);
    await assert.rejects(manager.requireParentMemory("/pod1", 12_582_912n), {
      message: "pod set memory limit 1048576 too low; should be at least 12582912 bytes",
    });
    await manager.requireParentMemory("/pod1", 1_048_576n);
    await manager.requireParentMemory("/pod2", 12_582_912n);
    await manager.requireParentMemory("", 12_582_912n);
  });

  it("is none, with a warning, when the file is missing", async () => {
    await using fake = await fakeHost(2);
    const warnings: string[] = [];
    const log = { ...silentLogger, warn: (message: string) => void warnings.push(message) };
    const manager = createCgroupManager("cgroupfs", fake.host, { log });
    await manager.requireParentMemory("/pod1", 12_582_912n);
    assert.equal(warnings.length, 1);
  });
});
