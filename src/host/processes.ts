import { closeSync, openSync, readSync } from "node:fs";
import { errnoOf, Fault, reasonOf } from "../base/index.ts";
import { readBounded } from "./bounded-read.ts";
import { libc } from "./libc.ts";
import { checked, close } from "./syscalls.ts";

// The same on x86_64 and aarch64, as all system calls since 5.0.
const SYS_pidfd_send_signal = 424;
const SYS_pidfd_open = 434;

/** A process as /proc/PID/stat tells it. */
export interface ProcessInfo {
  readonly pid: number;
  /** At most 15 characters, chosen by the process. */
  readonly command: string;
  /** One letter: R, S, D, Z (zombie), X … */
  readonly state: string;
  readonly parent: number;
  /** Pid of the process that began its session. */
  readonly session: number;
  /** Field 20: its threads, the first one among them even when that has ended. */
  readonly threads: number;
  /** Field 22, clock ticks since boot: with the pid it names a process for good. Text, since it is 64 bits wide. */
  readonly startTime: string;
}

const statBytes = 8192;

/** The process, or undefined when there is none with that pid. */
export async function readProcess(pid: number): Promise<ProcessInfo | undefined> {
  try {
    return parseProcessStat((await readBounded(`/proc/${pid}/stat`, statBytes)).toString("utf8"));
  } catch (error) {
    return noProcess(error);
  }
}

function noProcess(error: unknown): undefined {
  const errno = errnoOf(error);
  if (errno === "ENOENT" || errno === "ESRCH") return undefined;
  throw error;
}

/** Parses /proc/PID/stat; undefined when it is not of that form. */
export function parseProcessStat(text: string): ProcessInfo | undefined {
  // The name may hold spaces and parentheses; what follows it never does.
  const open = text.indexOf("(");
  const close = text.lastIndexOf(")");
  const pid = Number(text.slice(0, open).trim());
  const [state, parent, , session, ...rest] = text.slice(close + 2).split(" ");
  const [threads, startTime] = [rest[13], rest[15]];
  if (open === -1 || close < open || !Number.isInteger(pid)) return undefined;
  if (state === undefined || parent === undefined || startTime === undefined) return undefined;
  return {
    pid,
    command: text.slice(open + 1, close),
    state,
    parent: Number(parent),
    session: Number(session),
    threads: Number(threads),
    startTime,
  };
}

/** Whether `pid` is still the process that started at `startTime`: alive, not a zombie. */
export async function isSameProcess(pid: number, startTime: string): Promise<boolean> {
  return isAliveSince(await readProcess(pid), startTime);
}

/**
 * As `isSameProcess`, at once: for calls that ask about one process. The kernel makes this file without waiting for anything, in less
 * time than the thread pool takes to be asked.
 */
export function isSameProcessNow(pid: number, startTime: string): boolean {
  try {
    const fd = openSync(`/proc/${pid}/stat`, "r");
    try {
      const bytes = Buffer.allocUnsafe(statBytes);
      const length = readSync(fd, bytes, 0, statBytes, 0);
      return isAliveSince(parseProcessStat(bytes.toString("utf8", 0, length)), startTime);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    return noProcess(error) ?? false;
  }
}

function isAliveSince(found: ProcessInfo | undefined, startTime: string): boolean {
  if (found === undefined || found.startTime !== startTime) return false;
  // A process whose first thread has ended before the others looks like a zombie, and is none.
  return found.threads > 1 || (found.state !== "Z" && found.state !== "X");
}

/**
 * kill(2) of one process; false when there is none. Signal 0 only asks. The pid may by now be another process:
 * where that matters, `signalSameProcess`.
 */
export function sendSignal(pid: number, signal: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0)
    throw new Fault("invalid", `sending signal ${signal}: no such pid: ${pid}`);
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if (errnoOf(error) === "ESRCH") return false;
    throw new Fault("failed", `sending signal ${signal} to process ${pid}: ${errnoOf(error) ?? error}`, {
      cause: error,
    });
  }
}

/**
 * Signals the process `pid` that started at `startTime`, and never another one that has its pid by now: the process is
 * pinned by a pidfd before it is looked at. False when it is gone.
 */
export async function signalSameProcess(
  target: { readonly pid: number; readonly startTime: string },
  signal: number,
): Promise<boolean> {
  const pidfd = openPidfd(target.pid);
  if (pidfd === undefined) return false;
  try {
    if (!(await isSameProcess(target.pid, target.startTime))) return false;
    return signalPidfd(pidfd, target.pid, signal);
  } finally {
    close(pidfd);
  }
}

function openPidfd(pid: number): number | undefined {
  try {
    return checked(libc().pidfdOpen(SYS_pidfd_open, pid, 0), "pidfd_open");
  } catch (error) {
    if (errnoOf(error) === "ESRCH") return undefined;
    throw new Fault("failed", `looking at process ${pid}: ${reasonOf(error)}`, { cause: error });
  }
}

function signalPidfd(pidfd: number, pid: number, signal: number): boolean {
  try {
    checked(libc().pidfdSendSignal(SYS_pidfd_send_signal, pidfd, signal, null, 0), "pidfd_send_signal");
    return true;
  } catch (error) {
    if (errnoOf(error) === "ESRCH") return false;
    throw new Fault("failed", `sending signal ${signal} to process ${pid}: ${reasonOf(error)}`, { cause: error });
  }
}
