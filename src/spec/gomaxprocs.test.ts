import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type GomaxprocsPlan, injectedGomaxprocs } from "./gomaxprocs.ts";

const plan: GomaxprocsPlan = {
  least: 4,
  cgroupParent: "/kubepods/burstable/pod1",
  podAnnotations: {},
  resources: { cpuQuota: 0n, cpuShares: 512n },
  env: ["PATH=/bin"],
};

describe("injectedGomaxprocs", () => {
  it("gives pods without a CPU limit twice the CPUs they were promised, and no less than is configured", () => {
    for (const [cpuShares, value] of [
      [0n, 4],
      [2n, 4],
      [2048n, 4],
      [2049n, 5],
      [8192n, 16],
    ] as const) {
      assert.deepEqual(injectedGomaxprocs({ ...plan, resources: { cpuQuota: 0n, cpuShares } }), [
        `GOMAXPROCS=${value}`,
      ]);
    }
    assert.deepEqual(
      injectedGomaxprocs({ ...plan, cgroupParent: "kubepods-besteffort-pod1.slice", resources: undefined }),
      ["GOMAXPROCS=4"],
    );
  });

  it("leaves all others alone", () => {
    const others: readonly Partial<GomaxprocsPlan>[] = [
      { least: 0 },
      { cgroupParent: "/kubepods/pod1" },
      { resources: { cpuQuota: 50_000n, cpuShares: 512n } },
      { env: ["GOMAXPROCS=1"] },
      { podAnnotations: { "skip-gomaxprocs.crio.io": "true" } },
    ];
    for (const other of others)
      assert.deepEqual(injectedGomaxprocs({ ...plan, ...other }), [], JSON.stringify(other, text));
    assert.equal(injectedGomaxprocs({ ...plan, podAnnotations: { "skip-gomaxprocs.crio.io": "false" } }).length, 1);
  });
});

function text(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}
