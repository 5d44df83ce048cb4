import { rmdir } from "node:fs/promises";
import { deadline, errnoOf, Fault, isFault, reasonOf } from "../base/index.ts";
import { type CgroupHost, directoryOf } from "./hierarchy.ts";
import { type CgroupPath, rootCgroup } from "./path.ts";
import { pause } from "./pause.ts";
import { visitTree } from "./walk.ts";

export interface CleanupOptions {
  /** 10 s when absent. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

const defaultTimeoutMs = 10_000;
const longestPauseMs = 200;

/**
 * Removes a cgroup and all below it from every hierarchy; what is not there is fine. A cgroup is busy for a moment after
 * its last process ended, so that is tried again. Tries every hierarchy; rejects with Fault("deadline") for the first that
 * stayed busy, else with the first failure, or with the signal's reason.
 */
export async function removeTree(host: CgroupHost, path: CgroupPath, options: CleanupOptions = {}): Promise<void> {
  if (path === rootCgroup) throw new Fault("invalid", "removing cgroup /: that is not ours to remove");
  using limit = deadline(options.timeoutMs ?? defaultTimeoutMs, `removing cgroup ${path}`, options.signal);
  const results = await Promise.allSettled(
    host.hierarchies.map((hierarchy) => removeDirectories(directoryOf(hierarchy, path), limit)),
  );
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

async function removeDirectories(directory: string, signal: AbortSignal): Promise<void> {
  for (let pauseMs = 2; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    try {
      await visitTree(directory, removeOne, signal);
      return;
    } catch (error) {
      if (errnoOf(error) !== "EBUSY") throw removalFault(directory, error);
      await pauseUntilBusyNoMore(directory, pauseMs, signal);
    }
  }
}

async function removeOne(directory: string): Promise<void> {
  try {
    await rmdir(directory);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
}

async function pauseUntilBusyNoMore(directory: string, ms: number, signal: AbortSignal): Promise<void> {
  try {
    await pause(ms, signal);
  } catch (error) {
    if (!isFault(error, "deadline")) throw error;
    throw new Fault("deadline", `${error.message}: ${directory} is busy (processes in it or below?)`, { cause: error });
  }
}

function removalFault(directory: string, error: unknown): unknown {
  if (isFault(error) || errnoOf(error) === undefined) return error;
  return new Fault("failed", `removing cgroup ${directory}: ${reasonOf(error)}`, { cause: error });
}
