import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { buildContainerSpec } from "./container.ts";
import { rootlessSpec } from "./rootless.ts";
import { mountLines, testPlan } from "./test-plans.ts";

const spec = buildContainerSpec({
  ...testPlan,
  namespaces: { ...testPlan.namespaces, network: { is: "host" } },
  confinement: { ...testPlan.confinement, apparmorProfile: "crio-default" },
  resources: {
    ...testPlan.resources,
    requested: {
      cpuPeriod: 0n,
      cpuQuota: 0n,
      cpuShares: 2n,
      memoryLimitInBytes: 2n ** 30n,
      memorySwapLimitInBytes: 0n,
      oomScoreAdj: 5n,
      cpusetCpus: "",
      cpusetMems: "",
      hugepageLimits: [],
      unified: {},
    },
  },
});

describe("rootlessSpec", () => {
  const { spec: rootless, warnings } = rootlessSpec(spec, { controllers: new Set(["memory", "pids"]) });

  it("drops what takes privileges", () => {
    assert.equal(rootless.process?.oomScoreAdj, undefined);
    assert.equal(rootless.process?.apparmorProfile, undefined);
    assert.equal(rootless.linux?.cgroupsPath, "");
    assert.equal(rootless.linux?.resources?.devices, undefined);
    assert.ok(!mountLines(rootless.mounts).some((line) => line.includes("gid=")));
  });

  it("keeps the limits of delegated controllers and names the others", () => {
    assert.deepEqual(Object.keys(rootless.linux?.resources ?? {}), ["memory", "pids"]);
    assert.deepEqual(warnings, ["cgroup controller cpu is not delegated: its limits are left out"]);
  });

  it("binds the host's /sys without a network namespace", () => {
    assert.ok(mountLines(rootless.mounts).includes("/sys bind /sys ro,rbind"));
    const own = rootlessSpec(buildContainerSpec(testPlan), { controllers: new Set() });
    assert.ok(mountLines(own.spec.mounts).includes("/sys sysfs sysfs nosuid,noexec,nodev,ro"));
  });
});
