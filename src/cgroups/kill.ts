import { deadline, Fault, isFault } from "../base/index.ts";
import { sendSignal } from "../host/index.ts";
import { writeText } from "./files.ts";
import { type CgroupHost, directoryOf, hierarchyOf } from "./hierarchy.ts";
import { type CgroupPath, rootCgroup } from "./path.ts";
import { pause } from "./pause.ts";
import { processesIn } from "./processes.ts";
import type { CleanupOptions } from "./remove.ts";
import { writeSetting } from "./settings.ts";
import { visitTree } from "./walk.ts";

const SIGKILL = 9;
const defaultTimeoutMs = 10_000;
const longestPauseMs = 200;

/**
 * Kills every process in a cgroup and below, and waits until none is left; nothing to do when it is not there.
 * v2 has the kernel do it (`cgroup.kill`, Linux 5.14), so that no fork escapes; else one by one, again and again.
 * Rejects with Fault("precondition") when this process is among them, and with Fault("deadline") that names those that
 * would not die (in an uninterruptible wait, most likely), or the signal's reason.
 */
export async function killAll(host: CgroupHost, path: CgroupPath, options: CleanupOptions = {}): Promise<void> {
  if (path === rootCgroup) throw new Fault("invalid", "killing the processes of cgroup /: that is the whole machine");
  using limit = deadline(
    options.timeoutMs ?? defaultTimeoutMs,
    `killing the processes of cgroup ${path}`,
    options.signal,
  );
  for (let pauseMs = 2; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    const pids = await processesIn(host, path, { signal: limit });
    if (pids.length === 0) return;
    if (pids.includes(process.pid)) throw new Fault("precondition", `killing the processes of ${path}: we are in it`);
    if (!(await killedByKernel(host, path))) await killEach(host, path, { pids, signal: limit });
    await pauseFor(pids, pauseMs, limit);
  }
}

async function killedByKernel(host: CgroupHost, path: CgroupPath): Promise<boolean> {
  if (host.version !== 2) return false;
  try {
    await writeSetting(host, { path, controller: "core", file: "cgroup.kill" }, "1");
    return true;
  } catch (error) {
    // An older kernel has no such file; a threaded cgroup refuses it.
    if (isFault(error, "not-found", "failed")) return false;
    throw error;
  }
}

async function killEach(
  host: CgroupHost,
  path: CgroupPath,
  { pids, signal }: { readonly pids: readonly number[]; readonly signal: AbortSignal },
): Promise<void> {
  for (const pid of pids) sendSignal(pid, SIGKILL);
  const freezer = host.version === 1 ? hierarchyOf(host, "freezer") : undefined;
  // A process that v1 froze dies when it thaws; the root of the hierarchy and what vanished meanwhile have no such file.
  const thaw = (directory: string) =>
    writeText(`${directory}/freezer.state`, "THAWED").catch((error: unknown) => {
      if (!isFault(error, "not-found")) throw error;
    });
  if (freezer !== undefined) await visitTree(directoryOf(freezer, path), thaw, signal);
}

async function pauseFor(pids: readonly number[], ms: number, signal: AbortSignal): Promise<void> {
  try {
    await pause(ms, signal);
  } catch (error) {
    if (!isFault(error, "deadline")) throw error;
    const some = pids.slice(0, 10).join(", ");
    throw new Fault("deadline", `${error.message}: ${pids.length} are left: ${some}`, { cause: error });
  }
}
