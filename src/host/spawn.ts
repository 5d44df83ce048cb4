import { deadline, Fault, Places, untilAborted } from "../base/index.ts";
import { onCpus } from "./cpu-affinity.ts";
import { type Libc, libc } from "./libc.ts";
import { processReaper } from "./reaper.ts";
import { checked, close, failed, kernel } from "./syscalls.ts";

const POSIX_SPAWN_SETPGROUP = 0x02;
const POSIX_SPAWN_SETSIGDEF = 0x04;
const POSIX_SPAWN_SETSIGMASK = 0x08;
const POSIX_SPAWN_SETSID = 0x80;
const F_DUPFD_CLOEXEC = 1030;
const O_RDWR = 2;

// Opaque structs of glibc (336 and 80 bytes on x86_64 and aarch64); it has promised not to grow them.
const attributesSize = 512;
const actionsSize = 256;

export interface SpawnPlan {
  readonly path: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string | undefined;
  /** By the child's descriptor: one of ours to copy, or /dev/null. */
  readonly descriptors: readonly (number | "null")[];
  readonly group: "ours" | "own" | "own session";
  /** The CPUs that it may run on, and all that it starts; none: wherever we may. */
  readonly cpus: readonly number[];
}

/** So many programs are started at a time, the others wait: half of the threads, so that one lot that hangs leaves some to the rest. */
const starts = new Places(4);
/** How long a program may take to start, or to be its turn. Only one on a file system that does not answer takes long. */
const startTimeoutMs = 60_000;

/**
 * Starts a program by posix_spawn(3): its cost does not depend on our size, where a fork copies page tables (12 ms at
 * 150 MB). It does not return before the child runs the program, which on a busy machine, or with a program on a slow disk, takes
 * milliseconds to minutes: that is waited for on another thread. The child has default signal handling, no signal blocked, and no
 * descriptor but the ones in the plan, which may be closed once this has settled.
 * Resolves with the pid. Rejects with a SystemCallError with the errno of whatever failed, exec included, and with Fault("deadline") when
 * it has not started after a minute; should it do so later, it is killed.
 */
export async function spawn(plan: SpawnPlan): Promise<number> {
  using limit = deadline(startTimeoutMs, `starting ${plan.path} (does the file system that it is on answer?)`);
  const giveBack = await starts.take(limit);
  const starting = spawnNow(plan);
  starting.then(giveBack, giveBack);
  try {
    return await untilAborted(starting, limit);
  } catch (error) {
    starting.then(killLate, () => {}); // it did not start: all is well
    throw error;
  }
}

function killLate(pid: number): void {
  process.kill(pid, "SIGKILL");
  processReaper()
    .wait(pid, { holdsLoop: false })
    .catch(() => {}); // no child of ours any more: nothing to reap
}

async function spawnNow(plan: SpawnPlan): Promise<number> {
  const argv = [plan.path, ...plan.args].map(plainText);
  const envp = Object.entries(plan.env).map(([name, value]) => environmentEntry(name, value));
  const attributes = Buffer.alloc(attributesSize);
  const actions = Buffer.alloc(actionsSize);
  const copies: number[] = [];
  ok(libc().posix_spawnattr_init(attributes), "posix_spawnattr_init");
  ok(libc().posix_spawn_file_actions_init(actions), "posix_spawn_file_actions_init");
  try {
    setAttributes(attributes, plan);
    addDescriptors(actions, plan.descriptors, copies);
    if (plan.cwd !== undefined) {
      ok(libc().posix_spawn_file_actions_addchdir_np(actions, plainText(plan.cwd)), "posix_spawn chdir");
    }
    const pid = Buffer.alloc(4);
    const call = [pid, plainText(plan.path), actions, attributes, [...argv, null], [...envp, null]] as const;
    // A child begins on the CPUs of the thread that starts it, which only we can set for ourselves.
    const errno =
      plan.cpus.length > 0 ? onCpus(plan.cpus, () => libc().posix_spawn(...call)) : await onAnotherThread(call);
    ok(errno, "posix_spawn", plan.path);
    return pid.readInt32LE(0);
  } finally {
    libc().posix_spawn_file_actions_destroy(actions);
    libc().posix_spawnattr_destroy(attributes);
    for (const fd of copies) close(fd);
  }
}

function onAnotherThread(call: Readonly<Parameters<Libc["posix_spawn"]>>): Promise<number> {
  return new Promise((resolve, reject) => {
    libc().posix_spawn.async(...call, (error: unknown, errno: number) => (error ? reject(error) : resolve(errno)));
  });
}

function setAttributes(attributes: Buffer, plan: SpawnPlan): void {
  const everySignal = Buffer.alloc(128, 0xff);
  const noSignal = Buffer.alloc(128);
  const group = { ours: 0, own: POSIX_SPAWN_SETPGROUP, "own session": POSIX_SPAWN_SETSID }[plan.group];
  const flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | group;
  ok(libc().posix_spawnattr_setsigdefault(attributes, everySignal), "posix_spawnattr_setsigdefault");
  ok(libc().posix_spawnattr_setsigmask(attributes, noSignal), "posix_spawnattr_setsigmask");
  ok(libc().posix_spawnattr_setflags(attributes, flags), "posix_spawnattr_setflags");
}

/** The child's descriptors 0 to n-1; what is above is closed there, whether or not it was marked close-on-exec. */
function addDescriptors(actions: Buffer, descriptors: SpawnPlan["descriptors"], copies: number[]): void {
  for (const [target, source] of descriptors.entries()) {
    if (source === "null") {
      const added = libc().posix_spawn_file_actions_addopen(actions, target, "/dev/null", O_RDWR, 0);
      ok(added, "posix_spawn open");
    } else {
      const from = ownCopy(source, descriptors.length, copies);
      ok(libc().posix_spawn_file_actions_adddup2(actions, from, target), "posix_spawn dup2");
    }
  }
  const closeFrom = libc().posix_spawn_file_actions_addclosefrom_np;
  if (closeFrom !== undefined) ok(closeFrom(actions, descriptors.length), "posix_spawn closefrom");
}

/**
 * A copy of a source that lies above the targets, of which none overwrites it before its turn, and that stays while the child is being
 * started, whatever becomes of the source.
 */
function ownCopy(source: number, count: number, copies: number[]): number {
  const copy = checked(libc().fcntlNumber(source, F_DUPFD_CLOEXEC, count), "fcntl F_DUPFD_CLOEXEC");
  copies.push(copy);
  return copy;
}

function environmentEntry(name: string, value: string): string {
  if (name === "" || name.includes("=")) {
    throw new Fault("invalid", `not the name of an environment variable: ${JSON.stringify(name)}`);
  }
  return plainText(`${name}=${value}`);
}

/** C ends a string at NUL: the program would see less than what was checked here. */
function plainText(text: string): string {
  if (text.includes("\0")) throw new Fault("invalid", `starting a program: NUL byte in ${JSON.stringify(text)}`);
  return text;
}

function ok(errno: number, syscall: string, path?: string): void {
  if (errno !== 0) throw failed(errno, syscall, path);
}

/** Both ends of a new pipe, close-on-exec. */
export function pipe(): { readonly readEnd: number; readonly writeEnd: number } {
  const ends = Buffer.alloc(8);
  checked(libc().pipe2(ends, kernel.O_CLOEXEC), "pipe2");
  return { readEnd: ends.readInt32LE(0), writeEnd: ends.readInt32LE(4) };
}

/** Both ends of a new stream socket pair, close-on-exec. */
export function socketPair(): readonly [number, number] {
  const AF_UNIX = 1;
  const SOCK_STREAM = 1;
  const ends = Buffer.alloc(8);
  checked(libc().socketpair(AF_UNIX, SOCK_STREAM | kernel.O_CLOEXEC, 0, ends), "socketpair");
  return [ends.readInt32LE(0), ends.readInt32LE(4)];
}
