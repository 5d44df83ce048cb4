import type { MemoryReading } from "../../cgroups/index.ts";
import type { ContainerStats, CpuUsage } from "../../containers/index.ts";
import type { InterfaceCounters } from "../../host/index.ts";
import type { Metric, PodMetrics, PodStats } from "../../pods/index.ts";
import * as api from "../generated/api.ts";

/* What CRI's answers say of the use of resources, from our values to protobuf. An absent part stays absent: 0 would be a figure. */

export function containerStatsOf(stats: ContainerStats): api.ContainerStats {
  const { record, atNs, cpu, memory, swap, writableLayer } = stats;
  return api.ContainerStats.fromPartial({
    attributes: {
      id: record.id,
      metadata: record.metadata,
      labels: record.labels,
      annotations: record.annotations,
    },
    ...(cpu === undefined ? {} : { cpu: cpuOf(cpu, atNs) }),
    ...(memory === undefined ? {} : { memory: memoryOf(memory, atNs) }),
    ...(swap === undefined
      ? {}
      : {
          swap: {
            timestamp: atNs,
            swapAvailableBytes: uint64(swap.availableBytes),
            swapUsageBytes: uint64(swap.usageBytes),
          },
        }),
    ...(writableLayer === undefined
      ? {}
      : {
          writableLayer: {
            timestamp: writableLayer.atNs,
            fsId: { mountpoint: record.mountPoint },
            usedBytes: uint64(writableLayer.bytes),
            inodesUsed: uint64(writableLayer.inodes),
          },
        }),
  });
}

export function podStatsOf(stats: PodStats): api.PodSandboxStats {
  const { record, atNs, cpu, memory, processCount, interfaces } = stats;
  const [first, ...rest] = (interfaces ?? []).map(interfaceOf);
  return api.PodSandboxStats.fromPartial({
    attributes: {
      id: record.id,
      metadata: record.metadata,
      labels: record.labels,
      annotations: record.annotations,
    },
    linux: {
      ...(cpu === undefined ? {} : { cpu: cpuOf(cpu, atNs) }),
      ...(memory === undefined ? {} : { memory: memoryOf(memory, atNs) }),
      ...(processCount === undefined ? {} : { process: { timestamp: atNs, processCount: uint64(processCount) } }),
      ...(interfaces === undefined
        ? {}
        : {
            network: {
              timestamp: atNs,
              interfaces: rest,
              ...(first === undefined ? {} : { defaultInterface: first }),
            },
          }),
      containers: stats.containers.map(containerStatsOf),
    },
  });
}

export function podMetricsOf({ podId, metrics, containers }: PodMetrics): api.PodSandboxMetrics {
  return {
    podSandboxId: podId,
    metrics: metrics.map(metricOf),
    containerMetrics: containers.map((container) => ({
      containerId: container.containerId,
      metrics: container.metrics.map(metricOf),
    })),
  };
}

function metricOf({ name, type, atNs, labelValues, value }: Metric): api.Metric {
  const metricType = type === "counter" ? api.MetricType.COUNTER : api.MetricType.GAUGE;
  return { name, timestamp: atNs, metricType, labelValues: [...labelValues], value: uint64(value) };
}

function cpuOf({ usageNanos, nanoCores }: CpuUsage, timestamp: bigint): api.CpuUsage {
  return api.CpuUsage.fromPartial({
    timestamp,
    usageCoreNanoSeconds: uint64(usageNanos),
    ...(nanoCores === undefined ? {} : { usageNanoCores: uint64(nanoCores) }),
  });
}

function memoryOf(memory: MemoryReading, timestamp: bigint): api.MemoryUsage {
  return api.MemoryUsage.fromPartial({
    timestamp,
    workingSetBytes: uint64(memory.workingSetBytes),
    availableBytes: uint64(memory.availableBytes),
    usageBytes: uint64(memory.usageBytes),
    rssBytes: uint64(memory.rssBytes),
    pageFaults: uint64(memory.faults.all),
    majorPageFaults: uint64(memory.faults.major),
  });
}

function interfaceOf(counters: InterfaceCounters): api.NetworkInterfaceUsage {
  return {
    name: counters.name,
    rxBytes: uint64(counters.rxBytes),
    rxErrors: uint64(counters.rxErrors),
    txBytes: uint64(counters.txBytes),
    txErrors: uint64(counters.txErrors),
  };
}

const largest = 2n ** 64n - 1n;

/** Encoding a value that does not fit would fail the whole answer. */
function uint64(value: bigint): api.UInt64Value {
  return { value: value < 0n ? 0n : value > largest ? largest : value };
}
