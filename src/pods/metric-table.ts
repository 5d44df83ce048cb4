import type { CgroupReadings, FaultCounts, IoReading, ReadingArea } from "../cgroups/index.ts";
import type { ProcessCounts } from "../containers/index.ts";
import type { InterfaceCounters } from "../host/index.ts";
import type { Container } from "../state/index.ts";

/** The words of `included_pod_metrics`. */
export const metricGroups = [
  "cpu",
  "memory",
  "network",
  "disk",
  "diskIO",
  "hugetlb",
  "oom",
  "process",
  "spec",
  "pressure",
] as const;

export type MetricGroup = (typeof metricGroups)[number];

/** What a container's metrics are made from. What was not asked for, or is not there, is absent, and so are its metrics. */
export interface MetricSource extends Partial<CgroupReadings> {
  readonly container: Container;
  readonly atNs: bigint;
  /** Bytes in the writable layer. */
  readonly writtenBytes?: bigint;
  /** The file system that holds the writable layer. */
  readonly disk?: { readonly sizeBytes: bigint; readonly inodes: bigint; readonly freeInodes: bigint };
  readonly counts?: ProcessCounts;
  readonly maxOpenFiles?: bigint;
}

/** One time series: a value and what its own labels say. */
export interface MetricSample {
  readonly value: bigint;
  readonly labels: readonly string[];
}

export interface MetricRow<Source> {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge";
  /** The keys of its own labels, after `baseLabelKeys`. */
  readonly labelKeys: readonly string[];
  readonly read: (source: Source) => readonly MetricSample[];
}

/** The labels that all metrics begin with. */
export const baseLabelKeys: readonly string[] = ["id", "image", "namespace", "pod", "container"];

/** What each group needs from the container's cgroup. */
export const groupAreas: Readonly<Record<MetricGroup, readonly ReadingArea[]>> = {
  cpu: ["cpu"],
  memory: ["memory", "memoryHistory", "swap"],
  network: [],
  disk: [],
  diskIO: ["io"],
  hugetlb: ["hugetlb"],
  oom: ["memoryHistory"],
  process: ["pids"],
  spec: [],
  pressure: ["pressure"],
};

const resourceWords = { cpu: "a CPU", memory: "memory", io: "a disk" } as const;

/** Of every container, whatever is configured. */
export const alwaysRows: readonly MetricRow<MetricSource>[] = [
  gauge("container_last_seen", "When the container was last looked at, in seconds since the epoch.", ({ atNs }) =>
    secondsOf(atNs),
  ),
];

/** The metrics of containers, by group (reference: cri.md 8). Those of the network are the pod's: `networkRows`. */
export const groupRows: Readonly<Record<Exclude<MetricGroup, "network">, readonly MetricRow<MetricSource>[]>> = {
  cpu: [
    counter("container_cpu_user_seconds_total", "CPU time spent in user mode, in seconds.", ({ cpu }) =>
      secondsOf(cpu?.userNanos),
    ),
    counter("container_cpu_system_seconds_total", "CPU time spent in the kernel, in seconds.", ({ cpu }) =>
      secondsOf(cpu?.systemNanos),
    ),
    {
      name: "container_cpu_usage_seconds_total",
      help: "CPU time spent, in seconds: in total, or by CPU where the kernel tells it.",
      type: "counter",
      labelKeys: ["cpu"],
      read: cpuTimes,
    },
    counter("container_cpu_cfs_periods_total", "Periods in which a CPU quota was in force.", ({ cpu }) => cpu?.periods),
    counter(
      "container_cpu_cfs_throttled_periods_total",
      "Periods in which the CPU quota ran out.",
      ({ cpu }) => cpu?.throttledPeriods,
    ),
    counter(
      "container_cpu_cfs_throttled_seconds_total",
      "Time for which the CPU quota kept the container waiting, in seconds.",
      ({ cpu }) => secondsOf(cpu?.throttledNanos),
    ),
  ],
  memory: [
    gauge("container_memory_cache", "Page cache, in bytes.", ({ memory }) => memory?.cacheBytes),
    gauge("container_memory_rss", "Anonymous memory, in bytes.", ({ memory }) => memory?.rssBytes),
    gauge("container_memory_kernel_usage", "Memory of the kernel, in bytes.", ({ memory }) => memory?.kernelBytes),
    gauge("container_memory_mapped_file", "Mapped files, in bytes.", ({ memory }) => memory?.mappedFileBytes),
    gauge("container_memory_swap", "What is swapped out, in bytes.", ({ swap }) => swap?.usageBytes),
    counter(
      "container_memory_failcnt",
      "How often the memory limit was hit.",
      ({ memoryHistory }) => memoryHistory?.limitHits,
    ),
    gauge("container_memory_usage_bytes", "All memory in use, in bytes.", ({ memory }) => memory?.usageBytes),
    gauge(
      "container_memory_max_usage_bytes",
      "The most memory that was ever in use, in bytes.",
      ({ memoryHistory }) => memoryHistory?.maxUsageBytes,
    ),
    gauge(
      "container_memory_working_set_bytes",
      "Memory in use without the file pages that the kernel would drop first, in bytes.",
      ({ memory }) => memory?.workingSetBytes,
    ),
    {
      name: "container_memory_failures_total",
      help: "Page faults, by kind, of the container's cgroup alone and with those below it.",
      type: "counter",
      labelKeys: ["failure_type", "scope"],
      read: ({ memory }) =>
        memory === undefined ? [] : [...faults("container", memory.ownFaults), ...faults("hierarchy", memory.faults)],
    },
  ],
  disk: [
    gauge("container_fs_inodes_free", "Free inodes of the file system below.", ({ disk }) => disk?.freeInodes),
    gauge("container_fs_inodes_total", "Inodes of the file system below.", ({ disk }) => disk?.inodes),
    gauge("container_fs_limit_bytes", "Size of the file system below, in bytes.", ({ disk }) => disk?.sizeBytes),
    gauge("container_fs_usage_bytes", "What the container has written, in bytes.", ({ writtenBytes }) => writtenBytes),
  ],
  diskIO: [
    byDevice("container_fs_reads_bytes_total", "Bytes read from a device.", ({ readBytes }) => readBytes),
    byDevice("container_fs_reads_total", "Reads from a device.", ({ reads }) => reads),
    byDevice("container_fs_writes_bytes_total", "Bytes written to a device.", ({ writeBytes }) => writeBytes),
    byDevice("container_fs_writes_total", "Writes to a device.", ({ writes }) => writes),
    {
      name: "container_blkio_device_usage_total",
      help: "Bytes that went to and came from a device.",
      type: "counter",
      labelKeys: ["device", "major", "minor", "operation"],
      read: ({ io = [] }) =>
        io.flatMap(({ major, minor, readBytes, writeBytes }) => {
          const device = [`${major}:${minor}`, String(major), String(minor)];
          return [sample(readBytes, ...device, "read"), sample(writeBytes, ...device, "write")];
        }),
    },
  ],
  hugetlb: [
    {
      name: "container_hugetlb_usage_bytes",
      help: "Huge pages in use, in bytes.",
      type: "gauge",
      labelKeys: ["pagesize"],
      read: ({ hugetlb = [] }) => hugetlb.map(({ pageSize, usageBytes }) => sample(usageBytes, pageSize)),
    },
    {
      name: "container_hugetlb_max_usage_bytes",
      help: "The most huge pages that were ever in use, in bytes; only where the kernel tells it.",
      type: "gauge",
      labelKeys: ["pagesize"],
      read: ({ hugetlb = [] }) =>
        hugetlb.flatMap(({ pageSize, maxUsageBytes: max }) => (max === undefined ? [] : [sample(max, pageSize)])),
    },
  ],
  oom: [
    counter(
      "container_oom_events_total",
      "Processes of the container that were killed for want of memory.",
      ({ memoryHistory }) => memoryHistory?.oomKills,
    ),
  ],
  process: [
    gauge("container_file_descriptors", "Open file descriptors.", ({ counts }) => counts?.descriptors),
    gauge("container_processes", "Processes.", ({ counts }) => counts?.processes),
    gauge("container_sockets", "Open sockets.", ({ counts }) => counts?.sockets),
    gauge("container_threads", "Threads.", ({ pids }) => pids?.current),
    gauge("container_threads_max", "How many threads there may be; 0 for no limit.", ({ pids }) =>
      pids === undefined ? undefined : (pids.limit ?? 0n),
    ),
    {
      name: "container_ulimits_soft",
      help: "Soft limits of the container's first process.",
      type: "gauge",
      labelKeys: ["ulimit"],
      read: ({ maxOpenFiles }) => (maxOpenFiles === undefined ? [] : [sample(maxOpenFiles, "max_open_files")]),
    },
  ],
  spec: [
    gauge("container_spec_cpu_period", "Length of a CPU quota's period, in microseconds.", ({ container }) =>
      atLeastZero(resourcesOf(container)?.cpu?.period),
    ),
    gauge("container_spec_cpu_shares", "Relative weight in the competition for CPUs.", ({ container }) =>
      atLeastZero(resourcesOf(container)?.cpu?.shares),
    ),
    gauge("container_spec_cpu_quota", "CPU time that each period allows, in microseconds.", ({ container }) => {
      const quota = atLeastZero(resourcesOf(container)?.cpu?.quota);
      return quota > 0n ? quota : undefined;
    }),
    gauge("container_spec_memory_limit_bytes", "Memory limit, in bytes; 0 for none.", ({ container }) =>
      memoryLimit(resourcesOf(container)?.memory?.limit),
    ),
    gauge("container_spec_memory_reservation_limit_bytes", "Memory kept for it, in bytes.", ({ container }) =>
      reservation(resourcesOf(container)?.unified),
    ),
    gauge(
      "container_spec_memory_swap_limit_bytes",
      "Limit of memory and swap, in bytes; 0 for none.",
      ({ container }) => memoryLimit(resourcesOf(container)?.memory?.swap),
    ),
    gauge("container_start_time_seconds", "When it was made, in seconds since the epoch.", ({ container }) =>
      secondsOf(container.record.createdAtNs),
    ),
  ],
  pressure: (["cpu", "memory", "io"] as const).flatMap((resource) => [
    counter(
      `container_pressure_${resource}_stalled_seconds_total`,
      `Time for which every process waited for ${resourceWords[resource]}, in seconds.`,
      ({ pressure }) => secondsOfMicros(pressure?.[resource]?.full.totalMicros),
    ),
    counter(
      `container_pressure_${resource}_waiting_seconds_total`,
      `Time for which some process waited for ${resourceWords[resource]}, in seconds.`,
      ({ pressure }) => secondsOfMicros(pressure?.[resource]?.some.totalMicros),
    ),
  ]),
};

/** The metrics of each interface of a pod, in the group `network`. */
export const networkRows: readonly MetricRow<InterfaceCounters>[] = [
  ofInterface("receive_bytes", "Bytes received.", ({ rxBytes }) => rxBytes),
  ofInterface("receive_packets", "Packets received.", ({ rxPackets }) => rxPackets),
  ofInterface("receive_packets_dropped", "Packets dropped on their way in.", ({ rxDropped }) => rxDropped),
  ofInterface("receive_errors", "Errors on the way in.", ({ rxErrors }) => rxErrors),
  ofInterface("transmit_bytes", "Bytes sent.", ({ txBytes }) => txBytes),
  ofInterface("transmit_packets", "Packets sent.", ({ txPackets }) => txPackets),
  ofInterface("transmit_packets_dropped", "Packets dropped on their way out.", ({ txDropped }) => txDropped),
  ofInterface("transmit_errors", "Errors on the way out.", ({ txErrors }) => txErrors),
];

type Read<Source> = (source: Source) => bigint | undefined;

function gauge(name: string, help: string, read: Read<MetricSource>): MetricRow<MetricSource> {
  return { name, help, type: "gauge", labelKeys: [], read: (source) => atMostOne(read(source)) };
}

function counter(name: string, help: string, read: Read<MetricSource>): MetricRow<MetricSource> {
  return { name, help, type: "counter", labelKeys: [], read: (source) => atMostOne(read(source)) };
}

function byDevice(name: string, help: string, value: (device: IoReading) => bigint): MetricRow<MetricSource> {
  const read = ({ io = [] }: MetricSource) =>
    io.map((device) => sample(value(device), `${device.major}:${device.minor}`));
  return { name, help, type: "counter", labelKeys: ["device"], read };
}

function ofInterface(
  what: string,
  help: string,
  value: (from: InterfaceCounters) => bigint,
): MetricRow<InterfaceCounters> {
  const read = (from: InterfaceCounters) => [sample(value(from), from.name)];
  return { name: `container_network_${what}_total`, help, type: "counter", labelKeys: ["interface"], read };
}

function sample(value: bigint, ...labels: readonly string[]): MetricSample {
  return { value, labels };
}

function atMostOne(value: bigint | undefined): readonly MetricSample[] {
  return value === undefined ? [] : [sample(value)];
}

/** v1 tells the time on each CPU, and then the total is left out, since whoever adds up would count it twice. */
function cpuTimes({ cpu }: MetricSource): readonly MetricSample[] {
  if (cpu === undefined) return [];
  if (cpu.perCpuNanos.length === 0) return [sample(secondsOf(cpu.usageNanos), "total")];
  return cpu.perCpuNanos.flatMap((nanos, index) =>
    nanos === 0n ? [] : [sample(secondsOf(nanos), `cpu${String(index).padStart(2, "0")}`)],
  );
}

function faults(scope: string, counts: FaultCounts): readonly MetricSample[] {
  return [sample(counts.all, "pgfault", scope), sample(counts.major, "pgmajfault", scope)];
}

function secondsOf(nanos: bigint): bigint;
function secondsOf(nanos: bigint | undefined): bigint | undefined;
function secondsOf(nanos: bigint | undefined): bigint | undefined {
  return nanos === undefined ? undefined : nanos / 1_000_000_000n;
}

function secondsOfMicros(micros: bigint | undefined): bigint | undefined {
  return micros === undefined ? undefined : micros / 1_000_000n;
}

function resourcesOf({ spec }: Container) {
  return spec.linux?.resources;
}

function atLeastZero(value: bigint | undefined): bigint {
  return value === undefined || value < 0n ? 0n : value;
}

/** Above this a limit means "none" in every tool that reads these. */
const unlimitedBytes = 2n ** 62n;

function memoryLimit(bytes: bigint | undefined): bigint {
  const limit = atLeastZero(bytes);
  return limit > unlimitedBytes ? 0n : limit;
}

function reservation(unified: Readonly<Record<string, string>> = {}): bigint {
  const text = Object.hasOwn(unified, "memory.min") ? (unified["memory.min"] ?? "") : "";
  return /^\d{1,18}$/.test(text) ? BigInt(text) : 0n;
}
