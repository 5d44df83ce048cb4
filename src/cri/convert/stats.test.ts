import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ContainerStats } from "../../containers/index.ts";
import * as api from "../generated/api.ts";
import { aContainer, aPod } from "../test-values.ts";
import { containerStatsOf, podMetricsOf, podStatsOf } from "./stats.ts";

const containerId = "c".repeat(64);
const podId = "b".repeat(64);
const { record } = aContainer(containerId, podId);
const faults = { all: 10n, major: 1n };

const full: ContainerStats = {
  record,
  atNs: 1_700_000_000_000_000_001n,
  cpu: { usageNanos: 2n ** 63n, nanoCores: 5n },
  memory: {
    usageBytes: 100n,
    workingSetBytes: 90n,
    limitBytes: 200n,
    availableBytes: 110n,
    rssBytes: 80n,
    cacheBytes: 0n,
    mappedFileBytes: 0n,
    kernelBytes: 0n,
    faults,
    ownFaults: { all: 0n, major: 0n },
  },
  swap: { usageBytes: 3n, limitBytes: 10n, availableBytes: 7n },
  writableLayer: { atNs: 1_600_000_000_000_000_000n, bytes: 4096n, inodes: 2n },
};

/** As it arrives at the client. */
function received(stats: api.ContainerStats): api.ContainerStats {
  return api.ContainerStats.decode(api.ContainerStats.encode(stats).finish());
}

describe("ContainerStats", () => {
  it("carries every figure with all its digits", () => {
    const timestamp = 1_700_000_000_000_000_001n;
    assert.deepEqual(received(containerStatsOf(full)), {
      attributes: {
        id: containerId,
        metadata: { name: "app", attempt: 0 },
        labels: { tier: "test" },
        annotations: { note: "x" },
      },
      cpu: {
        timestamp,
        usageCoreNanoSeconds: { value: 2n ** 63n },
        usageNanoCores: { value: 5n },
        psi: undefined,
      },
      memory: {
        timestamp,
        workingSetBytes: { value: 90n },
        availableBytes: { value: 110n },
        usageBytes: { value: 100n },
        rssBytes: { value: 80n },
        pageFaults: { value: 10n },
        majorPageFaults: { value: 1n },
        psi: undefined,
      },
      swap: { timestamp, swapAvailableBytes: { value: 7n }, swapUsageBytes: { value: 3n } },
      writableLayer: {
        timestamp: 1_600_000_000_000_000_000n,
        fsId: { mountpoint: "/store/merged" },
        usedBytes: { value: 4096n },
        inodesUsed: { value: 2n },
      },
      io: undefined,
    });
  });

  it("leaves out what is not known, the speed of the first sample too, and sends a zero that is one", () => {
    const { cpu, memory, swap, writableLayer } = received(
      containerStatsOf({ record, atNs: 1n, cpu: { usageNanos: 0n } }),
    );
    assert.deepEqual(cpu, {
      timestamp: 1n,
      usageCoreNanoSeconds: { value: 0n },
      usageNanoCores: undefined,
      psi: undefined,
    });
    assert.deepEqual([memory, swap, writableLayer], [undefined, undefined, undefined]);
  });
});

describe("PodSandboxStats", () => {
  const pod = aPod(podId).record;
  const counters = { index: 2, rxPackets: 0n, rxDropped: 0n, txPackets: 0n, txDropped: 0n };

  it("has the first interface as the default one, and the others beside it", () => {
    const [eth0, net1] = ["eth0", "net1"].map((name) => ({
      ...counters,
      name,
      rxBytes: 1n,
      rxErrors: 2n,
      txBytes: 3n,
      txErrors: 4n,
    }));
    assert.ok(eth0 !== undefined && net1 !== undefined);
    const { attributes, linux } = podStatsOf({
      record: pod,
      atNs: 9n,
      processCount: 12n,
      interfaces: [eth0, net1],
      containers: [full],
    });
    const sent = { rxBytes: { value: 1n }, rxErrors: { value: 2n }, txBytes: { value: 3n }, txErrors: { value: 4n } };
    assert.deepEqual(attributes, { id: podId, metadata: pod.metadata, labels: { app: "web" }, annotations: {} });
    assert.deepEqual(linux?.network, {
      timestamp: 9n,
      defaultInterface: { name: "eth0", ...sent },
      interfaces: [{ name: "net1", ...sent }],
    });
    assert.deepEqual(linux?.process, { timestamp: 9n, processCount: { value: 12n } });
    assert.equal(linux?.containers[0]?.attributes?.id, containerId);
    assert.equal(linux?.cpu, undefined);
  });

  it("of a stopped pod says who it is", () => {
    const { attributes, linux } = podStatsOf({ record: pod, atNs: 9n, containers: [] });
    assert.equal(attributes?.id, podId);
    assert.deepEqual([linux?.cpu, linux?.network, linux?.containers], [undefined, undefined, []]);
  });
});

describe("PodSandboxMetrics", () => {
  it("says of each metric what it is, and fits values into 64 bits rather than fail the answer", () => {
    const metric = (name: string, type: "counter" | "gauge", value: bigint) => {
      return { name, type, atNs: 5n, labelValues: ["x"], value };
    };
    const message = podMetricsOf({
      podId,
      metrics: [metric("a", "counter", 2n ** 70n)],
      containers: [{ containerId, metrics: [metric("b", "gauge", -1n)] }],
    });
    const { metrics, containerMetrics } = api.PodSandboxMetrics.decode(api.PodSandboxMetrics.encode(message).finish());
    const [a] = metrics;
    const [b] = containerMetrics[0]?.metrics ?? [];
    assert.deepEqual([a?.metricType, a?.value?.value], [api.MetricType.COUNTER, 2n ** 64n - 1n]);
    assert.deepEqual([b?.metricType, b?.value?.value, b?.labelValues], [api.MetricType.GAUGE, 0n, ["x"]]);
  });
});
