import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readPodStats } from "./stats.ts";
import { aContainer, anInterface, aPod, fakeMachine, nowNs, podId } from "./test-pods.ts";

const options = { layerPatienceEndsNs: 60_000_000_000n };
const cpu = {
  usageNanos: 2_000_000_000n,
  userNanos: 0n,
  systemNanos: 0n,
  perCpuNanos: [],
  periods: 0n,
  throttledPeriods: 0n,
  throttledNanos: 0n,
};

describe("the statistics of a pod", () => {
  it("are those of its cgroup, its network namespace and its containers", async () => {
    const { machine, deps, containers } = fakeMachine();
    const pod = aPod();
    deps.pods.put(pod);
    containers.put(aContainer());
    machine.pod = { ...machine.pod, cpu, pids: { current: 7n, limit: undefined } };
    machine.interfaces = [anInterface("lo"), anInterface("eth0"), anInterface("net1")];
    const stats = await readPodStats(deps, pod, options);
    assert.equal(stats.atNs, nowNs);
    assert.deepEqual(stats.cpu, { usageNanos: 2_000_000_000n });
    assert.equal(stats.memory, undefined);
    assert.equal(stats.processCount, 7n);
    assert.deepEqual(
      stats.interfaces?.map(({ name }) => name),
      ["eth0", "net1"],
    );
    assert.deepEqual(machine.netnsPaths, ["/run/netns/b"]);
    assert.equal(stats.containers[0]?.writableLayer?.bytes, 4096n);
  });

  it("have the containers that have not ended and that somebody has been told of", async () => {
    const { deps, containers } = fakeMachine();
    const ids = ["1", "2", "3", "f"].map((digit) => digit.repeat(64));
    const [created = "", exited = "", unknown = "", unclaimed = ""] = ids;
    containers.put(aContainer({ state: { is: "created" } }, created));
    containers.put(
      aContainer(
        { state: { is: "exited", startedAtNs: 0n, finishedAtNs: 0n, exitCode: 0, oomKilled: false, error: "" } },
        exited,
      ),
    );
    containers.put(aContainer({ state: { is: "unknown", startedAtNs: 0n, why: "" } }, unknown));
    containers.put(aContainer({}, unclaimed));
    const stats = await readPodStats(deps, aPod(), options);
    assert.deepEqual(
      stats.containers.map(({ record }) => record.id),
      [created],
    );
  });

  it("lack the network when it cannot be read, which is logged while the pod runs", async () => {
    const { machine, deps } = fakeMachine();
    machine.interfaces = new Error("ENOENT");
    const pod = aPod();
    deps.pods.put(pod);
    assert.equal((await readPodStats(deps, pod, options)).interfaces, undefined);
    assert.equal(machine.warnings.length, 1);
    deps.pods.put({ ...pod, stopped: true });
    await readPodStats(deps, pod, options);
    assert.equal(machine.warnings.length, 1, "stopped meanwhile");
  });

  it("are the host's network for a pod that shares it, and none for one whose namespace is not known", async () => {
    const { machine, deps } = fakeMachine();
    const hostPod = aPod({ namespaces: {}, hostNetwork: true });
    machine.interfaces = [anInterface("eth0")];
    assert.equal((await readPodStats(deps, hostPod, options)).interfaces?.length, 1);
    assert.deepEqual(machine.netnsPaths, ["/proc/self/ns/net"]);
    assert.equal((await readPodStats(deps, aPod({ namespaces: {} }), options)).interfaces, undefined);
  });

  it("are bounded, whatever the pod does to its network namespace", async () => {
    const { machine, deps } = fakeMachine();
    machine.interfaces = Array.from({ length: 5_000 }, (_, index) => anInterface(`dummy${index}`));
    assert.equal((await readPodStats(deps, aPod(), options)).interfaces?.length, 1_000);
  });

  it("are none of a stopped pod: its cgroup may be its successor's", async () => {
    const { machine, deps } = fakeMachine();
    machine.pod = { ...machine.pod, cpu };
    const stats = await readPodStats(deps, { ...aPod(), stopped: true }, options);
    assert.deepEqual(stats, { record: stats.record, atNs: nowNs, containers: [] });
    assert.equal(stats.record.id, podId);
    assert.equal(machine.cgroupReads, 0);
  });
});
