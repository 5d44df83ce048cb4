import { deadline } from "../base/index.ts";
import { readText } from "./files.ts";
import { type CgroupHost, directoryOf } from "./hierarchy.ts";
import type { CgroupPath } from "./path.ts";
import type { CleanupOptions } from "./remove.ts";
import { visitTree } from "./walk.ts";

const defaultTimeoutMs = 10_000;

/**
 * The processes in a cgroup and below, as this process' pid namespace numbers them; those outside it are left out.
 * On v1 those of every hierarchy. Empty when the cgroup is not there. Rejects with Fault("deadline") for a tree without end.
 */
export async function processesIn(
  host: CgroupHost,
  path: CgroupPath,
  options: CleanupOptions = {},
): Promise<readonly number[]> {
  using limit = deadline(
    options.timeoutMs ?? defaultTimeoutMs,
    `listing the processes of cgroup ${path}`,
    options.signal,
  );
  const found = new Set<number>();
  const collect = async (directory: string) => {
    for (const pid of parsePids(await readText(`${directory}/cgroup.procs`))) found.add(pid);
  };
  for (const hierarchy of host.hierarchies) await visitTree(directoryOf(hierarchy, path), collect, limit);
  return [...found].sort((a, b) => a - b);
}

/** The pids of `cgroup.procs`. A process of another pid namespace is written as 0, which to kill(2) would mean us. */
export function parsePids(text: string | undefined): readonly number[] {
  const lines = (text ?? "").split("\n").filter((line) => /^\d{1,10}$/.test(line));
  return lines.map(Number).filter((pid) => pid > 0);
}
