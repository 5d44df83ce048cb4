import type { CgroupHost } from "../hierarchy.ts";
import { parseCount, parseKeyed, parseLimit } from "../numbers.ts";
import type { CgroupPath } from "../path.ts";
import { readSetting } from "../settings.ts";

export interface SwapReading {
  readonly usageBytes: bigint;
  /** How much may be swapped out; undefined for no limit. */
  readonly limitBytes: bigint | undefined;
  /** Limit less usage, 0 without a limit. */
  readonly availableBytes: bigint;
}

/** Undefined without swap accounting, and when the cgroup is not there. */
export async function readSwap(host: CgroupHost, path: CgroupPath): Promise<SwapReading | undefined> {
  const read = (file: string) => readSetting(host, { path, controller: "memory", file });
  if (host.version === 2) {
    const [usage, limit] = await Promise.all([read("memory.swap.current"), read("memory.swap.max")]);
    return swapFromV2({ usage, limit });
  }
  const files = ["memory.stat", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"];
  const [stat, memoryLimit, bothLimit] = await Promise.all(files.map(read));
  return swapFromV1({ stat, memoryLimit, bothLimit });
}

/** From `memory.swap.current` and `memory.swap.max` of v2. */
export function swapFromV2(texts: {
  readonly usage: string | undefined;
  readonly limit: string | undefined;
}): SwapReading | undefined {
  const usageBytes = parseCount(texts.usage);
  return usageBytes === undefined ? undefined : swapReading(usageBytes, parseLimit(texts.limit));
}

/** From `memory.stat`, `memory.limit_in_bytes` and `memory.memsw.limit_in_bytes` (memory and swap together) of v1. */
export function swapFromV1(texts: {
  readonly stat: string | undefined;
  readonly memoryLimit: string | undefined;
  readonly bothLimit: string | undefined;
}): SwapReading | undefined {
  const usageBytes = parseKeyed(texts.stat).get("total_swap");
  if (usageBytes === undefined) return undefined;
  const both = parseLimit(texts.bothLimit);
  const memory = parseLimit(texts.memoryLimit);
  return swapReading(usageBytes, both === undefined || memory === undefined ? undefined : both - memory);
}

function swapReading(usageBytes: bigint, limitBytes: bigint | undefined): SwapReading {
  const left = limitBytes === undefined ? 0n : limitBytes - usageBytes;
  return { usageBytes, limitBytes, availableBytes: left < 0n ? 0n : left };
}
