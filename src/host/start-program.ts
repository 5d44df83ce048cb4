import { Socket } from "node:net";
import { errnoOf, Fault, type FaultCode, reasonOf } from "../base/index.ts";
import type { ExitStatus } from "./exit-status.ts";
import { processReaper } from "./reaper.ts";
import { pipe, type SpawnPlan, socketPair, spawn } from "./spawn.ts";
import { close } from "./syscalls.ts";

/**
 * What a child finds at one descriptor: `"read"` is a pipe that we read, `"write"` one that we write, `"socket"` one end
 * of a stream socket pair, `"inherit"` our own descriptor of that number, `{ fd }` a descriptor of ours, which stays
 * ours to close.
 */
export type StdioPlan = "null" | "inherit" | "read" | "write" | "socket" | { readonly fd: number };

export interface StartOptions {
  /** Default: our own environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** The index is the descriptor in the child. 0, 1 and 2 are /dev/null where not given; everything else is closed. */
  readonly stdio: readonly StdioPlan[];
  /** A process group of its own, in our session: a signal to our group does not reach it. */
  readonly newProcessGroup?: boolean;
  /** A session of its own, and with it a group. */
  readonly newSession?: boolean;
  /** The CPUs that it and what it starts may run on, as taskset(1) has it. None or absent: those that we may. */
  readonly cpus?: readonly number[];
}

export interface StartedProgram {
  readonly pid: number;
  /** Our ends, by the child's descriptor. The caller listens for `error` (EPIPE of a "write") and destroys them. */
  readonly stdio: readonly (Socket | undefined)[];
  /** How it ended. Keeps Node running until then. Rejects only if other code took the status away. */
  readonly exited: Promise<ExitStatus>;
  /** Signals the program, or its whole group if it was given one of its own. Does nothing once it has been reaped. */
  kill(signal: number): void;
}

/**
 * Starts the program at `path`, which must have a slash in it (`findProgram` searches). Main thread only.
 * Rejects with Fault("not-found") or Fault("denied") when there is no such program or it may not be executed,
 * Fault("exhausted") when processes or descriptors ran out, Fault("failed") otherwise.
 */
export async function startProgram(
  path: string,
  args: readonly string[],
  options: StartOptions,
): Promise<StartedProgram> {
  try {
    return await start(path, args, options);
  } catch (error) {
    throw startFault(path, options.cwd, error);
  }
}

/** As `startProgram`, but system call errors pass as they are. */
export async function start(path: string, args: readonly string[], options: StartOptions): Promise<StartedProgram> {
  if (!path.includes("/")) {
    throw new Fault("invalid", `starting ${JSON.stringify(path)}: a path is needed, the search path is not consulted`);
  }
  processReaper().listen();
  const ends = openEnds(withStandardThree(options.stdio));
  try {
    const pid = await spawn({
      path,
      args,
      env: options.env ?? ownEnvironment(),
      cwd: options.cwd,
      descriptors: ends.map(({ theirs }) => theirs),
      group: groupOf(options),
      cpus: options.cpus ?? [],
    });
    return started(pid, ends.splice(0).map(wrapped), groupOf(options));
  } finally {
    for (const end of ends) closeEnd(end);
  }
}

/** One descriptor of the child while it is being started. */
interface End {
  readonly theirs: number | "null";
  /** Opened for the child alone, and so to be closed here once it has it. */
  readonly isOurCopy: boolean;
  readonly ours?: { readonly fd: number; readonly readable: boolean; readonly writable: boolean };
}

/** A program with no standard output would take the next file it opens for it. */
function withStandardThree(plans: readonly StdioPlan[]): readonly StdioPlan[] {
  const missing: readonly StdioPlan[] = ["null", "null", "null"];
  return [...plans, ...missing.slice(plans.length)];
}

function openEnds(plans: readonly StdioPlan[]): End[] {
  const ends: End[] = [];
  try {
    plans.forEach((plan, target) => {
      ends.push(openEnd(plan, target));
    });
    return ends;
  } catch (error) {
    for (const end of ends) closeEnd(end);
    throw error;
  }
}

function openEnd(plan: StdioPlan, target: number): End {
  if (typeof plan === "object") return { theirs: plan.fd, isOurCopy: false };
  switch (plan) {
    case "null":
      return { theirs: "null", isOurCopy: false };
    case "inherit":
      return { theirs: target, isOurCopy: false };
    case "read": {
      const { readEnd, writeEnd } = pipe();
      return { theirs: writeEnd, isOurCopy: true, ours: { fd: readEnd, readable: true, writable: false } };
    }
    case "write": {
      const { readEnd, writeEnd } = pipe();
      return { theirs: readEnd, isOurCopy: true, ours: { fd: writeEnd, readable: false, writable: true } };
    }
    case "socket": {
      const [fd, theirs] = socketPair();
      return { theirs, isOurCopy: true, ours: { fd, readable: true, writable: true } };
    }
  }
}

function closeEnd(end: End): void {
  closeTheirs(end);
  if (end.ours !== undefined) close(end.ours.fd);
}

function closeTheirs(end: End): void {
  if (end.isOurCopy && end.theirs !== "null") close(end.theirs);
}

/** Our end as a stream, the child's given up. */
function wrapped(end: End): Socket | undefined {
  closeTheirs(end);
  return end.ours === undefined ? undefined : new Socket(end.ours);
}

function started(pid: number, stdio: readonly (Socket | undefined)[], group: SpawnPlan["group"]): StartedProgram {
  const target = group === "ours" ? pid : -pid;
  return {
    pid,
    stdio,
    exited: processReaper().wait(pid, { holdsLoop: true }),
    kill(signal) {
      if (processReaper().knows(pid)) killQuietly(target, signal);
    },
  };
}

function killQuietly(target: number, signal: number): void {
  try {
    process.kill(target, signal);
  } catch (error) {
    if (errnoOf(error) !== "ESRCH") throw error;
  }
}

function groupOf(options: StartOptions): SpawnPlan["group"] {
  if (options.newSession === true) return "own session";
  return options.newProcessGroup === true ? "own" : "ours";
}

function ownEnvironment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) => (value === undefined || name === "" ? [] : [[name, value]])),
  );
}

const codes: Readonly<Record<string, FaultCode>> = {
  ENOENT: "not-found",
  EACCES: "denied",
  EPERM: "denied",
  EAGAIN: "exhausted",
  ENOMEM: "exhausted",
  EMFILE: "exhausted",
  ENFILE: "exhausted",
};

const remarks: Readonly<Record<string, string>> = {
  ENOENT: "no such program, or the interpreter it names is missing",
  EACCES: "not executable",
  ENOEXEC: "not a program of this architecture, nor a script with an interpreter line",
  ETXTBSY: "the file is open for writing",
  E2BIG: "arguments and environment are too large",
};

/** What `start` threw, as a Fault that names the program and what to look at. */
export function startFault(path: string, cwd: string | undefined, error: unknown): Fault {
  if (error instanceof Fault) return error;
  const errno = errnoOf(error) ?? "";
  // The kernel does not say which of the two was missing.
  const where = cwd !== undefined && errno === "ENOENT" ? `, or the working directory ${cwd} is` : "";
  const remark = remarks[errno];
  const why = remark === undefined ? reasonOf(error) : `${errno}: ${remark}${where}`;
  return new Fault(codes[errno] ?? "failed", `starting ${path}: ${why}`, { cause: error });
}
