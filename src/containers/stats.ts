import type { CgroupManager, MemoryReading, SwapReading } from "../cgroups/index.ts";
import type { Container, ContainerRecord } from "../state/index.ts";
import { type CpuUsage, cpuUsage, readCgroup } from "./cgroup-usage.ts";
import type { ContainerDeps } from "./deps.ts";
import type { NanoCores } from "./nano-cores.ts";
import type { LayerUsage, WritableLayers } from "./writable-layers.ts";

/** What ContainerStats tells (reference: cri.md 4.8). A part that cannot be had is absent. */
export interface ContainerStats {
  readonly record: ContainerRecord;
  /** When the cgroup was read. */
  readonly atNs: bigint;
  readonly cpu?: CpuUsage;
  readonly memory?: MemoryReading;
  readonly swap?: SwapReading;
  /** With the time of its own at which it was measured. */
  readonly writableLayer?: LayerUsage;
}

/** What reading statistics works with, and what it remembers. */
export interface ContainerStatsDeps extends Pick<ContainerDeps, "clock" | "log"> {
  readonly cgroups: Pick<CgroupManager, "readings" | "containerCgroup">;
  readonly nanoCores: NanoCores;
  readonly layers: WritableLayers;
  /** Nanoseconds, from any beginning, never set back. */
  readonly monotonicNs: () => bigint;
}

/**
 * Reads the statistics of a container that has not ended: a dozen small files of the kernel, and what is known of its writable
 * layer. `cgroupParent` is its pod's; `layerPatienceEndsNs` (monotonic) is how long to wait where nothing recent is known of the
 * layer. Never rejects: what cannot be read is logged and absent.
 */
export async function readContainerStats(
  deps: ContainerStatsDeps,
  { record }: Container,
  options: { readonly cgroupParent: string; readonly layerPatienceEndsNs: bigint },
): Promise<ContainerStats> {
  const atNs = deps.clock.nowNs();
  const monotonicNs = deps.monotonicNs();
  const patienceMs = Number((options.layerPatienceEndsNs - monotonicNs) / 1_000_000n);
  const [{ cpu, memory, swap }, writableLayer] = await Promise.all([
    readCgroup(deps, () => deps.cgroups.containerCgroup(options.cgroupParent, record.id), {
      areas: ["cpu", "memory", "swap"],
      about: { containerID: record.id },
    }),
    deps.layers.usage(record, patienceMs),
  ]);
  return {
    record,
    atNs,
    ...(cpu === undefined
      ? {}
      : { cpu: cpuUsage(deps.nanoCores, record, { usageNanos: cpu.usageNanos, monotonicNs }) }),
    ...(memory === undefined ? {} : { memory }),
    ...(swap === undefined ? {} : { swap }),
    ...(writableLayer === undefined ? {} : { writableLayer }),
  };
}
