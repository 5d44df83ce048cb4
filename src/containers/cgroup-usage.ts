import { type LogFields, type Logger, reasonOf } from "../base/index.ts";
import type { CgroupManager, CgroupPath, CgroupReadings, ReadingArea } from "../cgroups/index.ts";
import type { NanoCores } from "./nano-cores.ts";

export interface CgroupUsageDeps {
  readonly cgroups: Pick<CgroupManager, "readings">;
  readonly log: Logger;
}

/** CPU time used so far, and how fast it goes from the second sample on. */
export interface CpuUsage {
  readonly usageNanos: bigint;
  readonly nanoCores?: bigint;
}

/** The kernel's figures of a cgroup. An area that cannot be read is absent: without a word when the cgroup is gone, else it is logged. */
export async function readCgroup<A extends ReadingArea>(
  deps: CgroupUsageDeps,
  path: () => CgroupPath | undefined,
  options: { readonly areas: readonly A[]; readonly about: LogFields },
): Promise<Partial<Pick<CgroupReadings, A>>> {
  try {
    const cgroup = path();
    return cgroup === undefined ? {} : await deps.cgroups.readings(cgroup, options.areas);
  } catch (error) {
    deps.log.warn("reading a cgroup failed; statistics go without it", { ...options.about, error: reasonOf(error) });
    return {};
  }
}

/** Takes a sample of the CPU time of what has the record `of`. `monotonicNs` is when it was read. */
export function cpuUsage(
  nanoCores: NanoCores,
  of: object,
  sample: { readonly usageNanos: bigint; readonly monotonicNs: bigint },
): CpuUsage {
  const rate = nanoCores.rate(of, sample.usageNanos, sample.monotonicNs);
  return { usageNanos: sample.usageNanos, ...(rate === undefined ? {} : { nanoCores: rate }) };
}
