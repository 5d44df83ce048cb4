/** Statistics, metrics, streams and events of real pods. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readdir, rmdir } from "node:fs/promises";
import { describe, it } from "node:test";
import { type ContainerEventResponse, ContainerEventType } from "../../src/cri/generated/api.ts";
import { type Cri, openCri } from "../support/daemon/cri.ts";
import { Crictl, eventually, noCrictl } from "../support/daemon/crictl.ts";
import { startDaemon } from "../support/daemon/index.ts";
import { fixtureNames } from "../support/fixtures/index.ts";
import { compareInventories, takeInventory } from "../support/node/index.ts";

const systemd = existsSync("/run/systemd/system");
const busy = "dd if=/dev/zero of=/written bs=1024 count=2048 2>/dev/null; while :; do :; done";

interface Running {
  readonly crictl: Crictl;
  readonly cri: Cri;
  readonly pod: string;
  readonly container: string;
}

async function withPod(config: string, work: (running: Running) => Promise<void>): Promise<void> {
  const before = await takeInventory();
  {
    await using daemon = await startDaemon({
      config,
      ...(systemd ? ({ cgroupManager: "systemd", runtime: "crun" } as const) : {}),
    });
    const crictl = await Crictl.open(daemon.socket);
    using cri = openCri(daemon.socket);
    await crictl.do("pull", fixtureNames.busybox);
    const namespaces = { namespace_options: { pid: 1 } };
    const podFile = await crictl.podFile({
      name: "stats",
      more: { linux: { cgroup_parent: systemd ? "podstats.slice" : "/pod-stats", security_context: namespaces } },
    });
    const pod = await crictl.do("runp", podFile);
    const containerFile = await crictl.containerFile({
      name: "app",
      image: fixtureNames.busybox,
      command: ["/bin/sh", "-c", busy],
      resources: { memory_limit_in_bytes: 64 << 20, cpu_shares: 256, cpu_period: 100_000, cpu_quota: 50_000 },
      more: { labels: { tier: "test" } },
    });
    const container = await crictl.do("create", pod, containerFile, podFile);
    await crictl.do("start", container);
    await work({ crictl, cri, pod, container });
    await crictl.do("stop", "--timeout", "0", container);
    await crictl.do("rmp", "--force", pod);
    await crictl.do("rmi", "--all");
  }
  await removePodCgroup();
  assert.deepEqual(compareInventories(before, await takeInventory()), []);
}

/** The kubelet made it, and the kubelet removes it: here that is us. */
async function removePodCgroup(): Promise<void> {
  for (const hierarchy of ["", ...(await readdir("/sys/fs/cgroup"))]) {
    await rmdir(`/sys/fs/cgroup/${hierarchy}/pod-stats`).catch(() => {});
  }
}

async function collect<T>(messages: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const message of messages) all.push(message);
  return all;
}

describe("statistics", { skip: noCrictl }, () => {
  it("are those of the container, its pod and its network; none once it has ended", async () => {
    await withPod("", async ({ crictl, cri, pod, container }) => {
      const { runtime } = cri;
      const first = (await runtime.containerStats({ containerId: container })).stats;
      assert.equal(first?.attributes?.labels["tier"], "test");
      assert.equal(first?.cpu?.usageNanoCores, undefined);
      assert.ok((first?.memory?.usageBytes?.value ?? 0n) > 0n);
      assert.match(first?.writableLayer?.fsId?.mountpoint ?? "", /merged$/);
      assert.ok((first?.writableLayer?.inodesUsed?.value ?? 0n) > 0n);
      const second = await eventually("a speed", async () => {
        const { stats } = await runtime.containerStats({ containerId: container.slice(0, 12) });
        return (stats?.cpu?.usageNanoCores?.value ?? 0n) > 50_000_000n ? stats : undefined;
      });
      assert.ok((second.cpu?.usageCoreNanoSeconds?.value ?? 0n) > (first?.cpu?.usageCoreNanoSeconds?.value ?? 0n));
      await eventually("the bytes that were written", async () => {
        const [stats] = (await runtime.listContainerStats({ filter: { podSandboxId: pod } })).stats;
        return (stats?.writableLayer?.usedBytes?.value ?? 0n) >= 2n << 20n;
      });
      const ofPod = (await runtime.podSandboxStats({ podSandboxId: pod })).stats;
      console.log(JSON.stringify(ofPod, (_key, value) => (typeof value === "bigint" ? String(value) : value)));
      assert.equal(ofPod?.linux?.network?.defaultInterface?.name, "eth0");
      assert.deepEqual(ofPod?.linux?.network?.interfaces, []);
      assert.equal(
        ofPod?.linux?.process?.processCount?.value,
        systemd ? ofPod?.linux?.process?.processCount?.value : 2n,
      );
      assert.ok((ofPod?.linux?.memory?.workingSetBytes?.value ?? 0n) > 0n);
      assert.equal(ofPod?.linux?.containers.length, 1);
      assert.equal((await runtime.listPodSandboxStats({ filter: { labelSelector: { no: "such" } } })).stats.length, 0);
      assert.equal((await runtime.listContainerStats({ filter: { labelSelector: { tier: "test" } } })).stats.length, 1);
      console.log(await crictl.do("stats"), await crictl.do("statsp"));
      const streams = [
        await collect(runtime.streamContainerStats({})),
        await collect(runtime.streamPodSandboxStats({})),
        await collect(runtime.streamPodSandboxMetrics({})),
        await collect(runtime.streamPodSandboxes({})),
        await collect(runtime.streamContainers({})),
        await collect(cri.image.streamImages({})),
      ];
      assert.deepEqual(
        streams.map(({ length }) => length),
        [1, 1, 1, 1, 1, 1],
      );
      assert.deepEqual(await collect(runtime.streamContainers({ filter: { id: "f".repeat(64) } })), []);
      assert.deepEqual(await collect(runtime.getContainerEvents({})), [], "pod events are off");

      await crictl.do("stop", "--timeout", "0", container);
      assert.deepEqual((await runtime.containerStats({ containerId: container })).stats, undefined);
      assert.deepEqual((await runtime.listContainerStats({})).stats, []);
      assert.deepEqual(await collect(runtime.streamContainerStats({})), []);
      await assert.rejects(runtime.containerStats({ containerId: "f".repeat(64) }), /not found: ID does not exist/);
      await crictl.do("stopp", pod);
      const stopped = (await runtime.podSandboxStats({ podSandboxId: pod })).stats;
      assert.equal(stopped?.attributes?.id, pod);
      assert.equal(stopped?.linux?.cpu, undefined);
    });
  });

  it("are refreshed by the collection period, and metrics with them", async () => {
    const config = `[crio.stats]\ncollection_period = 1\nincluded_pod_metrics = ["all"]\n`;
    await withPod(config, async ({ cri, pod, container }) => {
      const { runtime } = cri;
      const { descriptors } = await runtime.listMetricDescriptors({});
      assert.equal(descriptors.length, 56);
      const keys = new Map(descriptors.map(({ name, labelKeys }) => [name, labelKeys]));
      const metrics = async () => {
        const [ofPod, ...others] = (await runtime.listPodSandboxMetrics({})).podMetrics;
        assert.ok(ofPod !== undefined && others.length === 0);
        assert.equal(ofPod.podSandboxId, pod);
        return ofPod;
      };
      const first = await metrics();
      for (const { name, labelValues } of [...first.metrics, ...(first.containerMetrics[0]?.metrics ?? [])]) {
        assert.equal(labelValues.length, keys.get(name)?.length, name);
      }
      const named = (from: typeof first, name: string) =>
        from.containerMetrics[0]?.metrics.find((metric) => metric.name === name)?.value?.value;
      for (const { name, labelValues, value } of first.containerMetrics[0]?.metrics ?? [])
        console.log(name, labelValues.slice(4).join(","), value?.value);
      for (const { name, labelValues, value } of first.metrics) console.log(name, labelValues.join(","), value?.value);
      assert.equal(first.containerMetrics[0]?.containerId, container);
      assert.equal(named(first, "container_processes"), 1n);
      assert.equal(named(first, "container_spec_memory_limit_bytes"), 64n << 20n);
      assert.equal(named(first, "container_spec_cpu_quota"), 50_000n);
      await eventually("a later round", async () => {
        const later = await metrics();
        return (named(later, "container_last_seen") ?? 0n) > (named(first, "container_last_seen") ?? 0n);
      });
      const one = (await runtime.containerStats({ containerId: container })).stats;
      const two = (await runtime.listContainerStats({})).stats[0];
      await eventually("another sample", async () => {
        const now = (await runtime.containerStats({ containerId: container })).stats;
        return (now?.cpu?.timestamp ?? 0n) > (one?.cpu?.timestamp ?? 0n) ? now : undefined;
      });
      assert.ok(two !== undefined);
    });
  });
});

describe("container events", { skip: noCrictl }, () => {
  it("come with the status of the pod and its containers, until the client leaves", async () => {
    const before = await takeInventory();
    {
      await using daemon = await startDaemon({ config: "", flags: ["--enable-pod-events"] });
      const crictl = await Crictl.open(daemon.socket);
      using cri = openCri(daemon.socket);
      const leaving = new AbortController();
      const seen: ContainerEventResponse[] = [];
      const reading = (async () => {
        for await (const event of cri.runtime.getContainerEvents({}, { signal: leaving.signal })) seen.push(event);
      })().catch((error: unknown) => String(error));
      await cri.runtime.version({});
      await crictl.do("pull", fixtureNames.busybox);
      const podFile = await crictl.podFile({ name: "events" });
      const pod = await crictl.do("runp", podFile);
      const file = await crictl.containerFile({ name: "app", image: fixtureNames.busybox, command: ["true"] });
      const container = await crictl.do("create", pod, file, podFile);
      await crictl.do("start", container);
      await eventually("the end", async () =>
        seen.some(
          ({ containerId, containerEventType }) =>
            containerId === container && containerEventType === ContainerEventType.CONTAINER_STOPPED_EVENT,
        ),
      );
      await crictl.do("rm", container);
      await eventually(
        "four events",
        async () => seen.filter(({ containerId }) => containerId === container).length === 4,
      );
      const types = seen
        .filter(({ containerId }) => containerId === container)
        .map((event) => event.containerEventType);
      assert.deepEqual(types, [0, 1, 2, 3]);
      assert.equal(seen.find(({ containerId }) => containerId === container)?.podSandboxStatus?.id, pod);
      console.log(
        seen.map((e) => [e.containerId.slice(0, 6), e.containerEventType, e.containersStatuses.map((s) => s.state)]),
      );
      await crictl.do("rmp", "--force", pod);
      leaving.abort();
      console.log(await reading);
      await crictl.do("rmi", "--all");
    }
    assert.deepEqual(compareInventories(before, await takeInventory()), []);
  });
});
