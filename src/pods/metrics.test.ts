import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { alwaysRows, groupRows, type MetricSource, metricGroups, networkRows } from "./metric-table.ts";
import {
  containerMetrics,
  includedGroups,
  type Metric,
  metricDescriptors,
  readDiskSpace,
  readPodMetrics,
} from "./metrics.ts";
import { aContainer, anInterface, aPod, containerId, emptyReadings, fakeMachine, nowNs, podId } from "./test-pods.ts";

const faults = { all: 10n, major: 1n };
const pressure = {
  some: { avg10: 0, avg60: 0, avg300: 0, totalMicros: 5_900_000n },
  full: { avg10: 0, avg60: 0, avg300: 0, totalMicros: 1_000_000n },
};
const cpu = {
  usageNanos: 9_999_999_999n,
  userNanos: 5_000_000_000n,
  systemNanos: 4_999_999_999n,
  perCpuNanos: [],
  periods: 10n,
  throttledPeriods: 3n,
  throttledNanos: 2_500_000_000n,
};

/** Everything that there is to know of a container. */
const full: MetricSource = {
  container: aContainer({
    spec: {
      ociVersion: "1.2.0",
      linux: {
        resources: {
          cpu: { period: 100_000n, quota: 50_000n, shares: 512n },
          memory: { limit: 1000n, swap: 2000n },
          unified: { "memory.min": "300" },
        },
      },
    },
  }),
  atNs: nowNs,
  cpu,
  memory: {
    usageBytes: 1n,
    workingSetBytes: 2n,
    limitBytes: 3n,
    availableBytes: 4n,
    rssBytes: 5n,
    cacheBytes: 6n,
    mappedFileBytes: 7n,
    kernelBytes: 8n,
    faults: { all: 20n, major: 2n },
    ownFaults: faults,
  },
  memoryHistory: { maxUsageBytes: 9n, limitHits: 10n, oomKills: 11n },
  swap: { usageBytes: 12n, limitBytes: undefined, availableBytes: 0n },
  pids: { current: 13n, limit: undefined },
  hugetlb: [{ pageSize: "2MB", usageBytes: 14n, maxUsageBytes: 15n, limitHits: 0n }],
  io: [
    { major: 8, minor: 0, readBytes: 16n, writeBytes: 17n, reads: 18n, writes: 19n, discardBytes: 0n, discards: 0n },
  ],
  pressure: { cpu: pressure, memory: pressure, io: pressure },
  writtenBytes: 20n,
  disk: { sizeBytes: 21n, inodes: 22n, freeInodes: 23n },
  counts: { processes: 24n, descriptors: 25n, sockets: 26n },
  maxOpenFiles: 27n,
};

/** `name{own labels}` → value. */
function seriesOf(metrics: readonly Metric[]): Record<string, bigint> {
  return Object.fromEntries(
    metrics.map(({ name, labelValues, value }) => {
      const own = labelValues.slice(5).join(",");
      return [own === "" ? name : `${name}{${own}}`, value];
    }),
  );
}

const seen = { container_last_seen: 1_700_000_000n };

describe("the groups of included_pod_metrics", () => {
  it("are those that are named, or all", () => {
    assert.deepEqual(includedGroups([]), []);
    assert.deepEqual(includedGroups(["oom", "cpu", "nonsense"]), ["cpu", "oom"]);
    assert.deepEqual(includedGroups(["all"]), metricGroups);
  });
});

describe("metric descriptors", () => {
  it("are those of the groups, and always the time it was seen", () => {
    assert.deepEqual(
      metricDescriptors([]).map(({ name }) => name),
      ["container_last_seen"],
    );
    const network = metricDescriptors(["network"]);
    assert.equal(network.length, 9);
    assert.deepEqual(network[1]?.labelKeys, ["id", "image", "namespace", "pod", "container", "interface"]);
  });

  it("have each name once, and a help text", () => {
    const all = metricDescriptors(metricGroups);
    assert.equal(new Set(all.map(({ name }) => name)).size, all.length);
    assert.equal(all.length, 56);
    for (const { name, help } of all) {
      assert.match(name, /^container_[a-z_]+$/);
      assert.ok(help.length > 3, name);
    }
  });
});

describe("a container's metrics", () => {
  it("have as many labels as their descriptor has keys, the container's first", () => {
    const keys = new Map(metricDescriptors(metricGroups).map(({ name, labelKeys }) => [name, labelKeys.length]));
    const metrics = containerMetrics(aPod().record, full, metricGroups);
    for (const { name, labelValues, atNs } of metrics) {
      assert.equal(labelValues.length, keys.get(name), name);
      assert.equal(atNs, nowNs);
    }
    const names = new Set(metrics.map(({ name }) => name));
    for (const row of [...alwaysRows, ...Object.values(groupRows).flat()]) assert.ok(names.has(row.name), row.name);
    const labels = [containerId, "docker.io/library/busybox:latest", "default", "web", "app"];
    assert.deepEqual(metrics[0]?.labelValues, labels);
  });

  it("are counters where they only grow", () => {
    const rows = [...alwaysRows, ...Object.values(groupRows).flat(), ...networkRows];
    const odd = rows.filter(({ name, type }) => (type === "counter") !== name.endsWith("_total"));
    assert.deepEqual(
      odd.map(({ name }) => name),
      ["container_memory_failcnt", "container_fs_inodes_total"],
    );
  });

  it("of cpu are whole seconds, in total or by CPU", () => {
    const of = (source: MetricSource) => seriesOf(containerMetrics(aPod().record, source, ["cpu"]));
    const others = {
      ...seen,
      container_cpu_user_seconds_total: 5n,
      container_cpu_system_seconds_total: 4n,
      container_cpu_cfs_periods_total: 10n,
      container_cpu_cfs_throttled_periods_total: 3n,
      container_cpu_cfs_throttled_seconds_total: 2n,
    };
    assert.deepEqual(of(full), { ...others, "container_cpu_usage_seconds_total{total}": 9n });
    assert.deepEqual(of({ ...full, cpu: { ...cpu, perCpuNanos: [1_500_000_000n, 0n, 8_000_000_000n] } }), {
      ...others,
      "container_cpu_usage_seconds_total{cpu00}": 1n,
      "container_cpu_usage_seconds_total{cpu02}": 8n,
    });
  });

  it("of memory tell own faults from those below", () => {
    const series = seriesOf(containerMetrics(aPod().record, full, ["memory"]));
    assert.equal(series["container_memory_failures_total{pgfault,container}"], 10n);
    assert.equal(series["container_memory_failures_total{pgmajfault,hierarchy}"], 2n);
    assert.equal(series.container_memory_failcnt, 10n);
    assert.equal(series.container_memory_max_usage_bytes, 9n);
    assert.equal(series.container_memory_swap, 12n);
  });

  it("of disks name the device by its numbers", () => {
    const series = seriesOf(containerMetrics(aPod().record, full, ["disk", "diskIO"]));
    assert.equal(series["container_fs_writes_total{8:0}"], 19n);
    assert.equal(series["container_blkio_device_usage_total{8:0,8,0,write}"], 17n);
    assert.equal(series.container_fs_usage_bytes, 20n);
  });

  it("of the spec say 0 for no limit, and no quota where there is none", () => {
    const of = (resources: object) => {
      const container = aContainer({ spec: { ociVersion: "1.2.0", linux: { resources } } });
      return seriesOf(containerMetrics(aPod().record, { container, atNs: nowNs }, ["spec"]));
    };
    const none = {
      ...seen,
      container_spec_cpu_period: 0n,
      container_spec_cpu_shares: 0n,
      container_spec_memory_limit_bytes: 0n,
      container_spec_memory_reservation_limit_bytes: 0n,
      container_spec_memory_swap_limit_bytes: 0n,
      container_start_time_seconds: 1_600_000_000n,
    };
    assert.deepEqual(of({}), none);
    const unlimited = { cpu: { quota: -1n }, memory: { limit: 2n ** 62n + 1n, swap: -1n } };
    assert.deepEqual(of({ ...unlimited, unified: { "memory.min": "max" } }), none);
    const limited = seriesOf(containerMetrics(aPod().record, full, ["spec"]));
    assert.equal(limited.container_spec_cpu_quota, 50_000n);
    assert.equal(limited.container_spec_memory_reservation_limit_bytes, 300n);
  });

  it("of pressure are stalled for all and waiting for some", () => {
    const series = seriesOf(containerMetrics(aPod().record, full, ["pressure"]));
    assert.equal(series.container_pressure_io_stalled_seconds_total, 1n);
    assert.equal(series.container_pressure_io_waiting_seconds_total, 5n);
  });

  it("are left out where the kernel says nothing, rather than 0", () => {
    const nothing = { container: aContainer(), atNs: nowNs, ...emptyReadings() };
    const groups = metricGroups.filter((group) => group !== "spec");
    assert.deepEqual(seriesOf(containerMetrics(aPod().record, nothing, groups)), seen);
  });
});

describe("a pod's metrics", () => {
  it("are those of its network, and of its containers", async () => {
    const { machine, deps, containers } = fakeMachine();
    containers.put(aContainer());
    machine.interfaces = [anInterface("lo"), anInterface("eth0"), anInterface("net1", { rxDropped: 44n })];
    machine.container = { ...machine.container, cpu };
    const options = { groups: includedGroups(["network", "process"]), layerPatienceEndsNs: 0n };
    const { metrics, containers: ofContainers } = await readPodMetrics(deps, aPod(), options);
    assert.equal(metrics.length, 16);
    assert.deepEqual(metrics[0]?.labelValues, [podId, "", "default", "web", "POD", "eth0"]);
    assert.equal(seriesOf(metrics)["container_network_receive_packets_dropped_total{net1}"], 44n);
    assert.equal(ofContainers[0]?.containerId, containerId);
    const own = seriesOf(ofContainers[0]?.metrics ?? []);
    assert.equal(own.container_processes, 1n);
    assert.ok((own.container_file_descriptors ?? 0n) > 0n);
    assert.ok(!("container_cpu_user_seconds_total" in own));
  });

  it("cost no look at the network where that is not configured, and nothing for a stopped pod", async () => {
    const { machine, deps, containers } = fakeMachine();
    containers.put(aContainer());
    const options = { groups: metricGroups, layerPatienceEndsNs: 0n };
    assert.deepEqual(await readPodMetrics(deps, { ...aPod(), stopped: true }, options), {
      podId,
      metrics: [],
      containers: [],
    });
    await readPodMetrics(deps, aPod(), { ...options, groups: [] });
    assert.deepEqual(machine.netnsPaths, []);
  });

  it("know the size of the disk, or do without", async () => {
    const { deps, machine } = fakeMachine();
    assert.ok(((await readDiskSpace(deps, "/"))?.sizeBytes ?? 0n) > 0n);
    assert.equal(await readDiskSpace(deps, "/nowhere/at/all"), undefined);
    assert.equal(machine.warnings.length, 1);
  });
});
