import type { CgroupHost } from "../hierarchy.ts";
import { parseCount, parseLimit } from "../numbers.ts";
import type { CgroupPath } from "../path.ts";
import { readSetting } from "../settings.ts";

export interface PidsReading {
  /** Processes and threads in the cgroup and below. */
  readonly current: bigint;
  /** Undefined for no limit. */
  readonly limit: bigint | undefined;
}

/** The same files in both versions. Undefined when the cgroup or its controller is not there, and for the root cgroup. */
export async function readPids(host: CgroupHost, path: CgroupPath): Promise<PidsReading | undefined> {
  const read = (file: string) => readSetting(host, { path, controller: "pids", file });
  const [current, limit] = await Promise.all([read("pids.current"), read("pids.max")]);
  return pidsFrom({ current, limit });
}

export function pidsFrom(texts: {
  readonly current: string | undefined;
  readonly limit: string | undefined;
}): PidsReading | undefined {
  const current = parseCount(texts.current);
  return current === undefined ? undefined : { current, limit: parseLimit(texts.limit) };
}
