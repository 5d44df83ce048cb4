import { Fault, type Logger } from "../base/index.ts";
import type { CgroupHost } from "./hierarchy.ts";
import { parseLimit } from "./numbers.ts";
import type { CgroupPath } from "./path.ts";
import { readSetting } from "./settings.ts";

/** The memory limit of a cgroup; undefined for none. A missing file is logged and means none. */
export async function readMemoryLimit(host: CgroupHost, path: CgroupPath, log: Logger): Promise<bigint | undefined> {
  const file = host.version === 2 ? "memory.max" : "memory.limit_in_bytes";
  const text = await readSetting(host, { path, controller: "memory", file });
  if (text === undefined) log.warn("no memory limit file in the pod's parent cgroup", { cgroup: path, file });
  return parseLimit(text);
}

/** Refuses a pod whose limit, when it has one, cannot hold a container. Throws Fault("invalid") with CRI-O's words. */
export function requireMemory(limitBytes: bigint | undefined, minimumBytes: bigint): void {
  if (limitBytes === undefined || limitBytes === 0n || limitBytes >= minimumBytes) return;
  throw new Fault("invalid", `pod set memory limit ${limitBytes} too low; should be at least ${minimumBytes} bytes`);
}
