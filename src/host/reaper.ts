import { readdir, readFile } from "node:fs/promises";
import { isMainThread } from "node:worker_threads";
import { Fault, untilAborted } from "../base/index.ts";
import { type ExitStatus, exitStatusOf } from "./exit-status.ts";
import { libc } from "./libc.ts";
import { checked, failed } from "./syscalls.ts";

const WNOHANG = 1;
const WEXITED = 4;
const WNOWAIT = 0x0100_0000;
const P_PID = 1;
const PR_SET_CHILD_SUBREAPER = 36;

// SIGCHLD does all the work; this is for the signal that never came (one that the process' parent had left blocked, say).
const recheckMs = 1000;
/** How long the status of a child that nobody waited for is kept for somebody who is about to. */
const keptMs = 10_000;

interface Awaited {
  readonly exit: PromiseWithResolvers<ExitStatus>;
  readonly holdsLoop: boolean;
}

/**
 * Collects the exit statuses of the children in its table: one SIGCHLD listener, and waitpid of each known pid.
 * Never `waitpid(-1)`: it would take statuses that somebody else waits for.
 */
export class Reaper {
  readonly #table = new Map<number, Awaited>();
  readonly #status = Buffer.alloc(4);
  readonly #kept = new Map<number, { readonly status: ExitStatus; readonly untilMs: number }>();
  #listens = false;
  #timer: NodeJS.Timeout | undefined;

  /** To be called before a child is started: from then on its end cannot be missed. */
  listen(): void {
    if (!isMainThread) {
      throw new Fault("failed", "programs are started and awaited on the main thread only: workers get no SIGCHLD");
    }
    if (this.#listens) return;
    this.#listens = true;
    process.on("SIGCHLD", () => this.#reap());
  }

  /**
   * The exit status of the child `pid`, once it has one. Rejects with Fault("not-found") when it is no child of this
   * process, or no longer. `holdsLoop`: Node does not exit before (signal listeners alone do not keep it going).
   */
  wait(pid: number, options: { readonly holdsLoop: boolean }): Promise<ExitStatus> {
    this.listen();
    const known = this.#table.get(pid);
    if (known !== undefined) return known.exit.promise;
    const kept = this.#kept.get(pid);
    this.#kept.delete(pid);
    if (kept !== undefined && kept.untilMs > performance.now()) return Promise.resolve(kept.status);
    const awaited: Awaited = { exit: Promise.withResolvers(), holdsLoop: options.holdsLoop };
    awaited.exit.promise.catch(() => {}); // whoever awaits it hears of it; nobody may be awaiting it yet
    this.#table.set(pid, awaited);
    this.#tryReap(pid, awaited); // it may have ended before the listener was there
    this.#setTimer();
    return awaited.exit.promise;
  }

  /** Whether somebody waits for `pid`. While this is true, the pid cannot have become another process. */
  knows(pid: number): boolean {
    return this.#table.has(pid);
  }

  /** The status of the child `pid` if it is a zombie that nobody waits for, which is then gone. */
  reapUnknown(pid: number): ExitStatus | undefined {
    if (this.#table.has(pid) || !isZombieChild(pid)) return undefined;
    if (libc().waitpid(pid, this.#status, WNOHANG) !== pid) return undefined;
    const status = exitStatusOf(this.#status.readInt32LE(0));
    const nowMs = performance.now();
    for (const [old, { untilMs }] of this.#kept) if (untilMs <= nowMs) this.#kept.delete(old);
    this.#kept.set(pid, { status, untilMs: nowMs + keptMs });
    return status;
  }

  #reap(): void {
    for (const [pid, awaited] of this.#table) this.#tryReap(pid, awaited);
    this.#setTimer();
  }

  #tryReap(pid: number, awaited: Awaited): void {
    const result = libc().waitpid(pid, this.#status, WNOHANG);
    if (result === 0) return;
    const errno = result === -1 ? libc().errno() : 0;
    this.#table.delete(pid);
    if (result === pid) awaited.exit.resolve(exitStatusOf(this.#status.readInt32LE(0)));
    else awaited.exit.reject(notOurChild(pid, errno));
  }

  #setTimer(): void {
    if (this.#table.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      return;
    }
    this.#timer ??= setInterval(() => this.#reap(), recheckMs);
    if (this.#table.values().some((awaited) => awaited.holdsLoop)) this.#timer.ref();
    else this.#timer.unref();
  }
}

// One per process, as the kernel's table of children is: two reapers would each have to be told what the other started.
let reaper: Reaper | undefined;

/** The reaper of this process. */
export function processReaper(): Reaper {
  reaper ??= new Reaper();
  return reaper;
}

/** Makes this process the new parent of its descendants whose parent ended (PR_SET_CHILD_SUBREAPER), instead of init. */
export function becomeSubreaper(): void {
  checked(libc().prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl PR_SET_CHILD_SUBREAPER");
}

/**
 * Waits for a process that others started and that was re-parented to us, such as a container's monitor. Its former
 * parent must have ended: before, and if it never comes to us, this rejects with Fault("not-found").
 * Does not hold the event loop. A `signal` that aborts ends the waiting, not the process; its status is still collected.
 */
export async function adoptOrphan(pid: number, options: { readonly signal?: AbortSignal } = {}): Promise<ExitStatus> {
  if (!Number.isSafeInteger(pid) || pid <= 0) throw new Fault("invalid", `waiting for a process: no such pid: ${pid}`);
  return untilAborted(processReaper().wait(pid, { holdsLoop: false }), options.signal);
}

/**
 * Reaps the zombies that were re-parented to us and that nobody waits for, and tells their statuses. Who adopts one within the next ten
 * seconds still gets its status.
 */
export async function reapUnknownChildren(): Promise<readonly { readonly pid: number; readonly status: ExitStatus }[]> {
  const reaped: { pid: number; status: ExitStatus }[] = [];
  for (const pid of await childrenOfThisProcess()) {
    const status = processReaper().reapUnknown(pid);
    if (status !== undefined) reaped.push({ pid, status });
  }
  return reaped;
}

/** Children belong to the thread that started them, or to the main thread when they were re-parented. */
async function childrenOfThisProcess(): Promise<readonly number[]> {
  const tasks = await readdir("/proc/self/task");
  const lists = await Promise.all(
    tasks.map((task) => readFile(`/proc/self/task/${task}/children`, "utf8").catch(() => "")), // the thread may have ended
  );
  return lists.flatMap((list) => list.trim().split(" ")).flatMap((pid) => (pid === "" ? [] : [Number(pid)]));
}

/** Peeks without reaping (WNOWAIT); siginfo_t has the pid at byte 16, zero when there was nothing to report. */
function isZombieChild(pid: number): boolean {
  const info = Buffer.alloc(128);
  return libc().waitid(P_PID, pid, info, WEXITED | WNOHANG | WNOWAIT) === 0 && info.readInt32LE(16) === pid;
}

function notOurChild(pid: number, errno: number): Fault {
  const cause = failed(errno, "waitpid");
  return new Fault("not-found", `waiting for process ${pid}: it is not a child of this process`, { cause });
}
