import { closeSync, constants, openSync } from "node:fs";
import { resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import {
  codeOf,
  currentStep,
  deadline,
  errnoOf,
  Fault,
  type Holder,
  inStep,
  reasonOf,
  type Step,
} from "../base/index.ts";
import { libc } from "./libc.ts";
import { readProcess } from "./processes.ts";
import { ReadWriteQueue } from "./read-write-queue.ts";
import { checked } from "./syscalls.ts";

const F_GETLK = 5;
const F_SETLK = 6;
const F_RDLCK = 0;
const F_WRLCK = 1;
const F_UNLCK = 2;
const firstWaitMs = 1;
const longestWaitMs = 50;

export type LockMode = "read" | "write";

export interface FileLock extends Disposable {
  /**
   * The open lock file, readable, and writable unless the file system is read-only, for the change token at its start.
   * Other holders in this process share it: read and write at positions, never close it.
   */
  readonly fd: number;
  /** Idempotent. */
  release(): void;
}

export interface FileLockOptions {
  /** For the waiting, in this process and for others. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

interface OpenLockFile {
  fd: number;
  holders: number;
}

interface Wait {
  readonly mode: LockMode;
  readonly signal: AbortSignal;
  /** On the clock of `performance.now()`. */
  readonly endsMs: number;
}

/**
 * POSIX record locks on whole files, as containers/storage takes them, together with the lock between holders inside
 * this process, which the kernel does not see. One object for the whole process: see `lockFile`.
 */
export class FileLocks {
  readonly #queues = new Map<string, ReadWriteQueue>();
  readonly #open = new Map<string, OpenLockFile>();
  readonly #holders = new Map<string, Step>();

  /** See `lockFile`. */
  async lock(path: string, mode: LockMode, options: FileLockOptions): Promise<FileLock> {
    const key = resolve(path);
    const endsMs = performance.now() + options.timeoutMs;
    using patience = deadline(options.timeoutMs, `locking ${key}`, options.signal);
    const wait = { endsMs, mode, signal: patience };
    const leave = await this.#enter(key, wait).catch((error) => {
      throw lockFault(key, mode, options, {
        error,
        late: patience.aborted,
        holder: "other work in this process holds it",
      });
    });
    try {
      return await this.#lockBetweenProcesses(key, wait, leave);
    } catch (error) {
      const holder = await this.#holderText(key, mode);
      this.#close(key);
      leave();
      throw lockFault(key, mode, options, { error, late: patience.aborted, holder });
    }
  }

  async #enter(key: string, { mode, signal, endsMs }: Wait): Promise<() => void> {
    const queue = this.#queues.get(key) ?? new ReadWriteQueue();
    this.#queues.set(key, queue);
    const drop = () => {
      if (queue.isIdle && this.#queues.get(key) === queue) this.#queues.delete(key);
    };
    try {
      const enter = () => queue.enter(mode, signal);
      const leave = await (queue.isIdle ? enter() : inStep(`waiting for ${key}`, enter, this.#waitOn(key, endsMs)));
      const holder = currentStep();
      if (holder !== undefined) this.#holders.set(key, holder);
      return () => {
        if (this.#holders.get(key) === holder) this.#holders.delete(key);
        leave();
        drop();
      };
    } catch (error) {
      drop();
      throw error;
    }
  }

  async #lockBetweenProcesses(key: string, wait: Wait, leave: () => void): Promise<FileLock> {
    const { mode } = wait;
    const file = this.#open.get(key) ?? { fd: openLockFile(key, mode), holders: 0 };
    this.#open.set(key, file);
    file.holders += 1;
    if (!tryLock(file.fd, mode)) {
      const step = { waitsFor: this.#blockedBy(key, file.fd, mode), next: () => givesUp(wait.endsMs) };
      await inStep(`waiting for ${key}`, () => untilLocked(file.fd, wait), step);
    }
    let held = true;
    const release = () => {
      if (!held) return;
      held = false;
      this.#close(key);
      leave();
    };
    return { fd: file.fd, release, [Symbol.dispose]: release };
  }

  /** For a wait on somebody in this process. */
  #waitOn(key: string, endsMs: number) {
    const holder = (): Holder => {
      const step = this.#holders.get(key);
      return step === undefined ? { is: "unknown" } : { is: "step", step };
    };
    return { waitsFor: { is: "lock", what: key, holder }, next: () => givesUp(endsMs) } as const;
  }

  #blockedBy(key: string, fd: number, mode: LockMode) {
    const holder = (): Holder => {
      const pid = this.#open.get(key)?.fd === fd ? blockingProcess(fd, mode) : undefined;
      return pid === undefined ? { is: "unknown" } : { is: "process", pid };
    };
    return { is: "lock", what: key, holder } as const;
  }

  /** One holder less. The last one closes the file, and with that the kernel drops the lock. */
  #close(key: string): void {
    const file = this.#open.get(key);
    if (file === undefined) return;
    file.holders -= 1;
    if (file.holders > 0) return;
    this.#open.delete(key);
    closeSync(file.fd);
  }

  async #holderText(key: string, mode: LockMode): Promise<string> {
    const file = this.#open.get(key);
    const pid = file === undefined ? undefined : blockingProcess(file.fd, mode);
    if (pid === undefined) return "another process held it";
    const command = (await readProcess(pid).catch(() => undefined))?.command;
    return `process ${pid}${command === undefined ? "" : ` (${command})`} holds it`;
  }
}

// One per process, as the kernel's record locks are: closing any descriptor of a file gives up all locks of the process
// on it, so there must be no second one.
let locks: FileLocks | undefined;

/**
 * Locks the whole file at `path`, which is made if it is missing: any number of readers, or one writer, among all
 * processes that use POSIX record locks and all callers in this one. First come first served within this process; other
 * processes are tried again and again (1 to 50 ms apart), so no thread is ever parked.
 *
 * Rejects with Fault("deadline") that says who holds it, Fault("cancelled"), or Fault("failed") when the file cannot be
 * opened. Only one path per file: the kernel would take two for one. Main thread only, and nobody else may open it.
 */
export async function lockFile(path: string, mode: LockMode, options: FileLockOptions): Promise<FileLock> {
  locks ??= new FileLocks();
  return locks.lock(path, mode, options);
}

function openLockFile(path: string, mode: LockMode): number {
  try {
    return openSync(path, constants.O_RDWR | constants.O_CREAT, 0o644);
  } catch (error) {
    // A store on a read-only file system can still be read, and locked for that.
    if (mode !== "read" || errnoOf(error) !== "EROFS") throw error;
    return openSync(path, constants.O_RDONLY);
  }
}

async function untilLocked(fd: number, { mode, signal }: Wait): Promise<void> {
  for (let waitMs = firstWaitMs; !tryLock(fd, mode); waitMs = Math.min(waitMs * 2, longestWaitMs)) {
    await delay(waitMs, undefined, { signal });
  }
}

function givesUp(atMs: number) {
  return { atMs, what: "is given up" };
}

function tryLock(fd: number, mode: LockMode): boolean {
  try {
    checked(libc().fcntlPointer(fd, F_SETLK, wholeFile(mode)), "fcntl F_SETLK");
    return true;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "EAGAIN" || errno === "EACCES") return false; // POSIX allows both
    throw error;
  }
}

function blockingProcess(fd: number, mode: LockMode): number | undefined {
  const lock = wholeFile(mode);
  if (libc().fcntlPointer(fd, F_GETLK, lock) === -1 || lock.readInt16LE(0) === F_UNLCK) return undefined;
  const pid = lock.readInt32LE(24);
  return pid > 0 ? pid : undefined; // 0 or -1 for a process that is out of sight
}

/** struct flock on 64-bit machines: type, whence (from the start), start 0, length 0 (to the end), pid. */
function wholeFile(mode: LockMode): Buffer {
  const lock = Buffer.alloc(32);
  lock.writeInt16LE(mode === "read" ? F_RDLCK : F_WRLCK, 0);
  return lock;
}

function lockFault(
  path: string,
  mode: LockMode,
  options: FileLockOptions,
  why: { readonly error: unknown; readonly late: boolean; readonly holder: string },
): Fault {
  const what = `locking ${path} for ${mode === "read" ? "reading" : "writing"}`;
  if (options.signal?.aborted) {
    const reason: unknown = options.signal.reason;
    const code = codeOf(reason);
    return new Fault(code === "failed" ? "cancelled" : code, `${what}: ${reasonOf(reason)}`, { cause: reason });
  }
  if (errnoOf(why.error) !== undefined || !why.late) {
    return new Fault("failed", `${what}: ${reasonOf(why.error)}`, { cause: why.error });
  }
  return new Fault("deadline", `${what}: not within ${options.timeoutMs / 1000} s: ${why.holder}`, {
    cause: why.error,
  });
}
