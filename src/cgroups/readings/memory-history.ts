import type { CgroupHost } from "../hierarchy.ts";
import { parseCount, parseKeyed } from "../numbers.ts";
import type { CgroupPath } from "../path.ts";
import { readSetting } from "../settings.ts";

/** What has happened to a cgroup's memory so far. */
export interface MemoryHistoryReading {
  /** The most that was ever used; undefined before Linux 5.19 on v2. */
  readonly maxUsageBytes: bigint | undefined;
  /** How often the limit was hit. */
  readonly limitHits: bigint;
  /** Processes killed for want of memory; undefined when the kernel does not count them. */
  readonly oomKills: bigint | undefined;
}

/** Undefined when the cgroup or its controller is not there. */
export async function readMemoryHistory(host: CgroupHost, path: CgroupPath): Promise<MemoryHistoryReading | undefined> {
  const read = (file: string) => readSetting(host, { path, controller: "memory", file });
  if (host.version === 2) {
    const [peak, events] = await Promise.all([read("memory.peak"), read("memory.events")]);
    return memoryHistoryFromV2({ peak, events });
  }
  const files = ["memory.max_usage_in_bytes", "memory.failcnt", "memory.oom_control"];
  const [peak, failures, oomControl] = await Promise.all(files.map(read));
  return memoryHistoryFromV1({ peak, failures, oomControl });
}

/** How many processes of a cgroup were killed for want of memory; undefined when it is not there or not counted. */
export async function readOomKills(host: CgroupHost, path: CgroupPath): Promise<bigint | undefined> {
  const file = host.version === 2 ? "memory.events" : "memory.oom_control";
  return parseKeyed(await readSetting(host, { path, controller: "memory", file })).get("oom_kill");
}

/** From `memory.peak` and `memory.events` of v2. */
export function memoryHistoryFromV2(texts: {
  readonly peak: string | undefined;
  readonly events: string | undefined;
}): MemoryHistoryReading | undefined {
  if (texts.events === undefined) return undefined;
  const events = parseKeyed(texts.events);
  return {
    maxUsageBytes: parseCount(texts.peak),
    limitHits: events.get("max") ?? 0n,
    oomKills: events.get("oom_kill"),
  };
}

/** From `memory.max_usage_in_bytes`, `memory.failcnt` and `memory.oom_control` of v1. */
export function memoryHistoryFromV1(texts: {
  readonly peak: string | undefined;
  readonly failures: string | undefined;
  readonly oomControl: string | undefined;
}): MemoryHistoryReading | undefined {
  if (texts.failures === undefined) return undefined;
  return {
    maxUsageBytes: parseCount(texts.peak),
    limitHits: parseCount(texts.failures) ?? 0n,
    oomKills: parseKeyed(texts.oomControl).get("oom_kill"),
  };
}
