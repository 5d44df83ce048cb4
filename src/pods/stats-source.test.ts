import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PodStatsSource, type StatsSourceOptions } from "./stats-source.ts";
import { aContainer, aPod, fakeMachine } from "./test-pods.ts";

function source(overrides: Partial<StatsSourceOptions> = {}) {
  const { machine, deps, measure } = fakeMachine();
  const { nanoCores: _, layers: __, ...given } = deps;
  const stats = new PodStatsSource({
    ...given,
    store: { containerUsage: measure, graphRoot: "/" },
    collectionPeriodMs: 0,
    metricGroups: ["disk"],
    ...overrides,
  });
  return {
    machine,
    deps,
    stats,
    [Symbol.asyncDispose]: () => stats.stop(),
  };
}

const seconds = (n: number) => BigInt(n) * 1_000_000_000n;

function cpuOf(usageNanos: bigint) {
  return {
    usageNanos,
    userNanos: 0n,
    systemNanos: 0n,
    perCpuNanos: [],
    periods: 0n,
    throttledPeriods: 0n,
    throttledNanos: 0n,
  };
}

describe("the source of statistics", () => {
  it("reads when asked, and tells the speed from the second time on, whichever call that is", async () => {
    await using s = source();
    const [pod, container] = [aPod(), aContainer()];
    s.deps.pods.put(pod);
    s.deps.containers.put(container);
    s.machine.container = { ...s.machine.container, cpu: cpuOf(seconds(1)) };
    assert.equal((await s.stats.container(container))?.cpu?.nanoCores, undefined);
    s.machine.container = { ...s.machine.container, cpu: cpuOf(seconds(3)) };
    s.machine.monotonicNs = seconds(4);
    const [ofPod] = await s.stats.pods([pod]);
    assert.equal(ofPod?.containers[0]?.cpu?.nanoCores, 500_000_000n);
  });

  it("has nothing to tell of a container that has ended, and refuses one without a pod", async () => {
    await using s = source();
    const ended = aContainer({ state: { is: "unknown", startedAtNs: 0n, why: "" } });
    assert.equal(await s.stats.container(ended), undefined);
    const { id, podId } = ended.record;
    const message = `unable to get stats for container ${id}: sandbox ${podId} not found`;
    await assert.rejects(s.stats.container(aContainer()), { message });
    assert.deepEqual(await s.stats.containers([ended, aContainer()]), []);
  });

  it("lets a caller go whose signal aborts", async () => {
    await using s = source({
      namespaces: { inNetns: () => new Promise(() => {}) },
    });
    const leaving = new AbortController();
    const pod = aPod();
    s.deps.pods.put(pod);
    const left = s.stats.pods([pod], leaving.signal);
    leaving.abort(new Error("left"));
    await assert.rejects(left, /left/);
  });

  it("with a period gives what the last round read, and reads what no round has seen", async () => {
    await using s = source({ collectionPeriodMs: 60_000 });
    const pod = aPod();
    s.deps.pods.put(pod);
    s.stats.start();
    await s.stats.pod(pod);
    const reads = s.machine.cgroupReads;
    s.machine.pod = { ...s.machine.pod, cpu: cpuOf(9n) };
    assert.equal((await s.stats.pod(pod)).cpu, undefined, "from memory");
    assert.equal(s.machine.cgroupReads, reads);
  });

  it("tells nothing old of a pod that has been stopped since the round", async () => {
    await using s = source({ collectionPeriodMs: 60_000 });
    s.machine.pod = { ...s.machine.pod, cpu: cpuOf(9n) };
    const pod = aPod();
    assert.notEqual((await s.stats.pod(pod)).cpu, undefined);
    assert.equal((await s.stats.pod({ ...pod, stopped: true })).cpu, undefined);
  });

  it("reads all in rounds, and metrics once somebody has asked for them", async () => {
    await using s = source({ collectionPeriodMs: 5 });
    const pod = aPod();
    s.deps.pods.put(pod);
    s.deps.containers.put(aContainer());
    s.machine.pod = { ...s.machine.pod, cpu: cpuOf(1n) };
    await s.stats.pod(pod);
    const value = async () => (await s.stats.metrics([pod]))[0]?.containers[0]?.metrics;
    assert.deepEqual(
      (await value())?.map(({ name }) => name).filter((name) => name.includes("usage")),
      ["container_fs_usage_bytes"],
    );
    s.machine.pod = { ...s.machine.pod, cpu: cpuOf(2n) };
    s.stats.start();
    const until = performance.now() + 10_000;
    while ((await s.stats.pod(pod)).cpu?.usageNanos !== 2n) {
      assert.ok(performance.now() < until, "no round came");
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  });
});
