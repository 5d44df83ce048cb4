import type { CgroupManager, MemoryReading } from "../cgroups/index.ts";
import {
  type ContainerStats,
  type ContainerStatsDeps,
  type CpuUsage,
  cpuUsage,
  mapAtOnce,
  readCgroup,
  readContainerStats,
} from "../containers/index.ts";
import type { InterfaceCounters } from "../host/index.ts";
import { type Container, type Creations, isLive, type Pod, type PodRecord } from "../state/index.ts";
import type { PodDeps } from "./deps.ts";
import { type NetworkUsageDeps, readPodInterfaces } from "./network-usage.ts";

/** What PodSandboxStats tells (reference: cri.md 4.8). A part that cannot be had is absent; of a stopped pod, all of them. */
export interface PodStats {
  readonly record: PodRecord;
  /** When the pod's cgroup was read. */
  readonly atNs: bigint;
  readonly cpu?: CpuUsage;
  readonly memory?: MemoryReading;
  readonly processCount?: bigint;
  /** Without `lo`; the first is the one CRI calls the default interface. */
  readonly interfaces?: readonly InterfaceCounters[];
  /** Those that have not ended. */
  readonly containers: readonly ContainerStats[];
}

export interface PodStatsDeps extends ContainerStatsDeps, NetworkUsageDeps, Pick<PodDeps, "containers"> {
  readonly cgroups: Pick<CgroupManager, "readings" | "containerCgroup" | "podCgroup" | "processes">;
  readonly creations: Pick<Creations, "isUnclaimed">;
}

const containersAtOnce = 4;

/**
 * Reads the statistics of a pod and its containers. A stopped pod has none: its cgroup may by now be that of its successor.
 * Rejects with the reason of `signal` alone.
 */
export async function readPodStats(
  deps: PodStatsDeps,
  pod: Pod,
  options: { readonly layerPatienceEndsNs: bigint; readonly signal?: AbortSignal },
): Promise<PodStats> {
  const { record } = pod;
  const atNs = deps.clock.nowNs();
  if (pod.stopped) return { record, atNs, containers: [] };
  const monotonicNs = deps.monotonicNs();
  const [{ cpu, memory, pids }, interfaces, containers] = await Promise.all([
    readCgroup(deps, () => deps.cgroups.podCgroup(record.cgroupParent), {
      areas: ["cpu", "memory", "pids"],
      about: { pod: record.id },
    }),
    readPodInterfaces(deps, pod, options.signal),
    readContainersOf(deps, pod, options),
  ]);
  return {
    record,
    atNs,
    ...(cpu === undefined
      ? {}
      : { cpu: cpuUsage(deps.nanoCores, record, { usageNanos: cpu.usageNanos, monotonicNs }) }),
    ...(memory === undefined ? {} : { memory }),
    ...(pids === undefined ? {} : { processCount: pids.current }),
    ...(interfaces === undefined ? {} : { interfaces }),
    containers,
  };
}

/** A pod's containers that have not ended and that somebody has been told of. */
export function liveContainersOf(deps: Pick<PodStatsDeps, "containers" | "creations">, pod: Pod): readonly Container[] {
  return deps.containers
    .ofPod(pod.record.id)
    .filter((container) => isLive(container) && !deps.creations.isUnclaimed(container.record.id));
}

async function readContainersOf(
  deps: PodStatsDeps,
  pod: Pod,
  options: { readonly layerPatienceEndsNs: bigint; readonly signal?: AbortSignal },
): Promise<readonly ContainerStats[]> {
  const { signal, layerPatienceEndsNs } = options;
  const { cgroupParent } = pod.record;
  const read = (container: Container) => readContainerStats(deps, container, { cgroupParent, layerPatienceEndsNs });
  const limit = { limit: containersAtOnce, ...(signal === undefined ? {} : { signal }) };
  return mapAtOnce(liveContainersOf(deps, pod), limit, read);
}
