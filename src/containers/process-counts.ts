import type { Dir } from "node:fs";
import { opendir, readlink, stat } from "node:fs/promises";
import { errnoOf } from "../base/index.ts";
import { isSameProcess, readBounded } from "../host/index.ts";
import type { KnownProcess } from "../runtime/index.ts";

/** What the processes of a container have open. A figure that would cost too much to find, or cannot be read, is absent. */
export interface ProcessCounts {
  readonly processes: bigint;
  readonly descriptors?: bigint;
  readonly sockets?: bigint;
}

/** A pod can open a million files, and looking at each costs a system call. */
const defaultMaxDescriptors = 5_000;
const maxProcesses = 1_000;
const linksAtOnce = 32;
const maxLimitsBytes = 16 * 1024;

/** Counts what `pids` have open, from /proc. Processes that end meanwhile do not matter. */
export async function countProcesses(
  pids: readonly number[],
  options: { readonly procDir?: string; readonly maxDescriptors?: number } = {},
): Promise<ProcessCounts> {
  const { procDir = "/proc", maxDescriptors = defaultMaxDescriptors } = options;
  const processes = BigInt(pids.length);
  if (pids.length > maxProcesses) return { processes };
  let descriptors = 0;
  let sockets = 0;
  for (const pid of pids) {
    const found = await countDescriptors(`${procDir}/${pid}/fd`, maxDescriptors - descriptors);
    if (found === undefined) return { processes, ...(await sizesOf(pids, procDir)) };
    descriptors += found.all;
    sockets += found.sockets;
  }
  return { processes, descriptors: BigInt(descriptors), sockets: BigInt(sockets) };
}

/** The soft limit of open files of a container's first process; undefined when it is gone or has none. */
export async function readOpenFilesLimit(init: KnownProcess): Promise<bigint | undefined> {
  const text = await orGone(readBounded(`/proc/${init.pid}/limits`, maxLimitsBytes));
  if (text === undefined || !(await isSameProcess(init.pid, init.startTime))) return undefined;
  return openFilesLimitFrom(text.toString("utf8"));
}

/** From /proc/PID/limits: `Max open files   1024   1048576   files`. */
export function openFilesLimitFrom(text: string): bigint | undefined {
  const soft = /^Max open files +(\d{1,20}) /m.exec(text)?.[1];
  return soft === undefined ? undefined : BigInt(soft);
}

/** How many there are, and how many of them are sockets; undefined when they are more than `limit`. */
async function countDescriptors(path: string, limit: number) {
  const directory = await orGone(opendir(path, { bufferSize: 256 }));
  const names = directory === undefined ? [] : await namesIn(directory, limit);
  if (names === undefined) return undefined;
  let sockets = 0;
  for (let at = 0; at < names.length; at += linksAtOnce) {
    const batch = names.slice(at, at + linksAtOnce).map((name) => orGone(readlink(`${path}/${name}`)));
    for (const target of await Promise.all(batch)) if (target?.startsWith("socket:")) sockets += 1;
  }
  return { all: names.length, sockets };
}

async function namesIn(directory: Dir, limit: number): Promise<readonly string[] | undefined> {
  const names: string[] = [];
  try {
    for await (const { name } of directory) {
      if (names.length >= limit) return undefined; // leaving the loop closes the directory
      names.push(name);
    }
  } catch (error) {
    if (!isGone(error)) throw error;
  }
  return names;
}

/** Since Linux 6.2 the size of the directory is the number of descriptors; before, it is 0. */
async function sizesOf(pids: readonly number[], procDir: string): Promise<{ readonly descriptors?: bigint }> {
  let sum = 0;
  for (const pid of pids) sum += (await orGone(stat(`${procDir}/${pid}/fd`)))?.size ?? 0;
  return sum > 0 ? { descriptors: BigInt(sum) } : {};
}

async function orGone<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** Also of a process that may not be looked into: it counts for nothing. */
function isGone(error: unknown): boolean {
  return ["ENOENT", "ESRCH", "EACCES", "EPERM", "ENOTDIR"].includes(errnoOf(error) ?? "");
}
