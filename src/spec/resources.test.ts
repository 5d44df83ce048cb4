import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import type { HostFacts } from "./plan.ts";
import { linuxResources, type RequestedResources, type ResourcesPlan, requestedOomScoreAdj } from "./resources.ts";
import { testHost } from "./test-plans.ts";

const nothing: RequestedResources = {
  cpuPeriod: 0n,
  cpuQuota: 0n,
  cpuShares: 0n,
  memoryLimitInBytes: 0n,
  memorySwapLimitInBytes: 0n,
  oomScoreAdj: 0n,
  cpusetCpus: "",
  cpusetMems: "",
  hugepageLimits: [],
  unified: {},
};

function written(
  requested?: Partial<RequestedResources>,
  host: Partial<HostFacts> = {},
  plan: Partial<ResourcesPlan> = {},
) {
  const { devices: _devices, ...resources } = linuxResources(
    {
      minMemoryBytes: 12n,
      pidsLimit: -1n,
      ...(requested === undefined ? {} : { requested: { ...nothing, ...requested } }),
      ...plan,
    },
    { id: "ID", host: { ...testHost, pids: false, ...host }, deviceRules: [], blockIo: undefined },
  );
  return resources;
}

function refuses(requested: Partial<RequestedResources>, message: string | RegExp): void {
  assert.throws(
    () => written(requested),
    (error) =>
      isFault(error, "invalid") &&
      (typeof message === "string" ? error.message === message : message.test(error.message)),
  );
}

describe("linuxResources", () => {
  it("writes nothing when nothing is asked for", () => assert.deepEqual(written(), {}));

  it("writes shares, quota and period even as zeros", () => {
    assert.deepEqual(written({}), { cpu: { shares: 0n, quota: 0n, period: 0n } });
    assert.deepEqual(
      written({ cpuShares: 2n, cpuQuota: -1n, cpuPeriod: 100000n, cpusetCpus: "0-3,7", cpusetMems: "0" }).cpu,
      {
        shares: 2n,
        quota: -1n,
        period: 100000n,
        cpus: "0-3,7",
        mems: "0",
      },
    );
  });

  it("writes memory and, where swap can be limited, both together", () => {
    assert.deepEqual(written({ memoryLimitInBytes: 100n }).memory, { limit: 100n, swap: 100n });
    assert.deepEqual(written({ memoryLimitInBytes: 100n, memorySwapLimitInBytes: 200n }).memory, {
      limit: 100n,
      swap: 200n,
    });
    assert.deepEqual(written({ memoryLimitInBytes: 100n, memorySwapLimitInBytes: -1n }).memory, {
      limit: 100n,
      swap: -1n,
    });
    const noSwap = { swapAccounting: false };
    assert.deepEqual(written({ memoryLimitInBytes: 100n, memorySwapLimitInBytes: 200n }, noSwap).memory, {
      limit: 100n,
    });
    assert.equal(written({ memorySwapLimitInBytes: 200n }).memory, undefined);
  });

  it("refuses memory that is too little, or swap below memory", () => {
    refuses({ memoryLimitInBytes: 11n }, "set memory limit 11 too low; should be at least 12 bytes");
    refuses({ memoryLimitInBytes: -1n }, "set memory limit -1 too low; should be at least 12 bytes");
    refuses(
      { memoryLimitInBytes: 100n, memorySwapLimitInBytes: 99n },
      "container ID create failed because memory swap limit (99) cannot be lower than memory limit (100)",
    );
  });

  it("refuses numbers and lists that no cgroup takes", () => {
    refuses({ cpuShares: -1n }, /cpu_shares/);
    refuses({ cpuPeriod: -1n }, /cpu_period/);
    for (const list of ["a", "0-", "0,", "0\n", "0 1", "../x"]) refuses({ cpusetCpus: list }, /cpuset_cpus/);
  });

  it("writes huge pages where there is the controller", () => {
    const hugepageLimits = [{ pageSize: "2MB", limit: 1n }];
    assert.deepEqual(written({ hugepageLimits }).hugepageLimits, hugepageLimits);
    assert.equal(written({ hugepageLimits }, { hugetlb: false }).hugepageLimits, undefined);
  });

  it("writes unified settings of the request on v2, and those of the annotation over them", () => {
    const unified = { "memory.high": "1", "memory.low": "2" };
    assert.deepEqual(
      { ...written({ unified }, {}, { unified: { "memory.high": "3" } }).unified },
      {
        "memory.high": "3",
        "memory.low": "2",
      },
    );
    assert.equal(written({ unified }, { cgroupVersion: 1 }).unified, undefined);
  });

  it("lets a workload replace the CPU part", () => {
    const workload = { cpus: "1", shares: 5n };
    assert.deepEqual(written({ cpuShares: 2n, cpusetCpus: "0" }, {}, { workload }).cpu, {
      shares: 5n,
      quota: 0n,
      period: 0n,
      cpus: "1",
    });
    assert.deepEqual(written(undefined, {}, { workload }), { cpu: workload });
  });

  it("writes the limit of processes where there is the controller", () => {
    assert.deepEqual(written(undefined, { pids: true }), { pids: { limit: -1n } });
  });
});

describe("requestedOomScoreAdj", () => {
  it("is written whenever resources are given, and within what the kernel takes", () => {
    assert.equal(requestedOomScoreAdj(undefined), undefined);
    assert.equal(requestedOomScoreAdj(nothing), 0);
    assert.equal(requestedOomScoreAdj({ ...nothing, oomScoreAdj: -999n }), -999);
    assert.throws(() => requestedOomScoreAdj({ ...nothing, oomScoreAdj: 1001n }), /oom_score_adj/);
  });
});
