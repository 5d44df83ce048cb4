import { Fault, isFault } from "../base/index.ts";
import { readBounded } from "../host/index.ts";
import { writeText } from "./files.ts";
import { type CgroupHost, directoryOf, hierarchyOf } from "./hierarchy.ts";
import { type CgroupPath, parseCgroupPath } from "./path.ts";
import { parseProcCgroup, pathInMount } from "./proc-cgroup.ts";

/**
 * Moves a process (not its children) into a cgroup, on v1 in every hierarchy that has the cgroup.
 * Rejects with Fault("not-found") when no hierarchy has it, Fault("failed") when the kernel refuses (ESRCH: the process is
 * gone; EBUSY: a v2 cgroup whose children have controllers takes no process).
 */
export async function moveProcess(host: CgroupHost, pid: number, path: CgroupPath): Promise<void> {
  if (!Number.isSafeInteger(pid) || pid <= 0)
    throw new Fault("invalid", `moving process ${pid} to cgroup ${path}: no pid`);
  let moved = 0;
  for (const hierarchy of host.hierarchies) {
    try {
      await writeText(`${directoryOf(hierarchy, path)}/cgroup.procs`, String(pid));
      moved += 1;
    } catch (error) {
      if (!isFault(error, "not-found")) throw error;
    }
  }
  if (moved === 0) throw new Fault("not-found", `moving process ${pid} to cgroup ${path}: there is no such cgroup`);
}

/**
 * The cgroup of a process, on v1 that of its memory controller; undefined when the mount does not show it.
 * Rejects with Node's ENOENT or ESRCH when there is no such process.
 */
export async function cgroupOfProcess(host: CgroupHost, pid: number): Promise<CgroupPath | undefined> {
  const memberships = parseProcCgroup((await readBounded(`/proc/${pid}/cgroup`, 1024 * 1024)).toString("utf8"));
  const own = memberships.find(({ controllers }) =>
    host.version === 2 ? controllers.length === 0 : controllers.includes("memory"),
  );
  if (own === undefined) return undefined;
  const shown = pathInMount(own.path, hierarchyOf(host, "memory")?.mountRoot ?? "/");
  return shown === undefined ? undefined : parseCgroupPath(shown);
}
