import type { CgroupHost } from "../hierarchy.ts";
import { parseCount, parseKeyed, parseLimit } from "../numbers.ts";
import type { CgroupPath } from "../path.ts";
import { readSetting } from "../settings.ts";

export interface MemoryReading {
  readonly usageBytes: bigint;
  /** Usage without the file pages that the kernel would drop first; never negative. */
  readonly workingSetBytes: bigint;
  /** The cgroup's own limit; undefined for none. */
  readonly limitBytes: bigint | undefined;
  /** Limit less working set, 0 without a limit, as the CRI has it. */
  readonly availableBytes: bigint;
  /** Anonymous memory, of the whole subtree. */
  readonly rssBytes: bigint;
  readonly cacheBytes: bigint;
  readonly mappedFileBytes: bigint;
  readonly kernelBytes: bigint;
  /** Page faults of the whole subtree. */
  readonly faults: FaultCounts;
  /** Page faults of the cgroup without those below it; v2 does not tell them apart. */
  readonly ownFaults: FaultCounts;
}

export interface FaultCounts {
  /** All page faults, the major ones included. */
  readonly all: bigint;
  /** Those that had to wait for a disk. */
  readonly major: bigint;
}

/** Undefined when the cgroup or its controller is not there, and for the root cgroup of v2, which has no such files. */
export async function readMemory(host: CgroupHost, path: CgroupPath): Promise<MemoryReading | undefined> {
  const read = (file: string) => readSetting(host, { path, controller: "memory", file });
  if (host.version === 2) {
    const [usage, limit, stat] = await Promise.all(["memory.current", "memory.max", "memory.stat"].map(read));
    return memoryFromV2({ usage, limit, stat });
  }
  const files = ["memory.usage_in_bytes", "memory.limit_in_bytes", "memory.stat", "memory.kmem.usage_in_bytes"];
  const [usage, limit, stat, kernel] = await Promise.all(files.map(read));
  return memoryFromV1({ usage, limit, stat, kernel });
}

interface MemoryTexts {
  readonly usage: string | undefined;
  readonly limit: string | undefined;
  readonly stat: string | undefined;
}

/** From `memory.current`, `memory.max` and `memory.stat` of v2. */
export function memoryFromV2({ usage, limit, stat }: MemoryTexts): MemoryReading | undefined {
  const usageBytes = parseCount(usage);
  if (usageBytes === undefined) return undefined;
  const values = parseKeyed(stat);
  const value = (name: string) => values.get(name) ?? 0n;
  const faults = { all: value("pgfault"), major: value("pgmajfault") };
  // `kernel` is the sum; before Linux 5.18 there were only its parts.
  const parts = value("kernel_stack") + value("pagetables") + value("percpu") + value("slab");
  return {
    ...workingSet(usageBytes, value("inactive_file"), parseLimit(limit)),
    rssBytes: value("anon"),
    cacheBytes: value("file"),
    mappedFileBytes: value("file_mapped"),
    kernelBytes: values.get("kernel") ?? parts,
    faults,
    ownFaults: faults,
  };
}

/** From `memory.usage_in_bytes`, `memory.limit_in_bytes`, `memory.stat` and `memory.kmem.usage_in_bytes` of v1. */
export function memoryFromV1(texts: MemoryTexts & { readonly kernel: string | undefined }): MemoryReading | undefined {
  const usageBytes = parseCount(texts.usage);
  if (usageBytes === undefined) return undefined;
  const values = parseKeyed(texts.stat);
  const value = (name: string) => values.get(name) ?? 0n;
  return {
    ...workingSet(usageBytes, value("total_inactive_file"), parseLimit(texts.limit)),
    rssBytes: value("total_rss"),
    cacheBytes: value("total_cache"),
    mappedFileBytes: value("total_mapped_file"),
    kernelBytes: parseCount(texts.kernel) ?? 0n,
    faults: { all: value("total_pgfault"), major: value("total_pgmajfault") },
    ownFaults: { all: value("pgfault"), major: value("pgmajfault") },
  };
}

function workingSet(usageBytes: bigint, inactiveFileBytes: bigint, limitBytes: bigint | undefined) {
  const workingSetBytes = atLeastZero(usageBytes - inactiveFileBytes);
  const availableBytes = limitBytes === undefined ? 0n : atLeastZero(limitBytes - workingSetBytes);
  return { usageBytes, workingSetBytes, limitBytes, availableBytes };
}

function atLeastZero(value: bigint): bigint {
  return value < 0n ? 0n : value;
}
