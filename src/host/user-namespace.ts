import { closeSync, constants, openSync, writeSync } from "node:fs";
import { libc } from "./libc.ts";
import { type IdMapping, idMapText } from "./namespace-plan.ts";
import { checked, failed } from "./syscalls.ts";

const CLONE_VM = 0x100;
const WALL = 0x4000_0000;
const SIGKILL = 9;
const SIG_SETMASK = 2;
const PROT_READ_WRITE = 3;
const MAP_PRIVATE_ANONYMOUS = 0x22;
const stackSize = 64 * 1024;

/** A process that does nothing but hold new namespaces, until they are pinned. */
export interface NamespaceHolder {
  /** The directory of its namespace links. */
  readonly links: string;
  /** Ends it and waits until it is gone. */
  end(): void;
}

/**
 * Starts a process in new namespaces (`flags` of clone(2), with CLONE_NEWUSER) and writes its id maps.
 *
 * A process with threads may not unshare its user namespace, and forking a large one is slow. So the child shares our
 * memory and runs libc's `pause` on a stack of its own: no instruction of ours, no JavaScript. It has every signal
 * blocked, since our handlers would run in it, and sends none when it ends, so that nobody else reaps it. It lives for
 * less than a millisecond. Synchronous; for the namespace worker.
 */
export function startNamespaceHolder(
  flags: number,
  maps: { readonly uidMappings?: readonly IdMapping[]; readonly gidMappings?: readonly IdMapping[] },
): NamespaceHolder {
  const stack = newStack();
  let pid: number;
  try {
    pid = withSignalsBlocked(() => startPause(stack, flags));
  } catch (error) {
    freeStack(stack);
    throw error;
  }
  const end = () => {
    endProcess(pid);
    freeStack(stack);
  };
  try {
    writeMap(`/proc/${pid}/uid_map`, maps.uidMappings ?? []);
    writeMap(`/proc/${pid}/gid_map`, maps.gidMappings ?? []);
    return { links: `/proc/${pid}/ns`, end };
  } catch (error) {
    end();
    throw error;
  }
}

function startPause(stack: bigint, flags: number): number {
  const top = stack + BigInt(stackSize - 16); // stacks grow down, and are aligned to 16 bytes
  return checked(libc().clone(libc().symbol("pause"), top, flags | CLONE_VM, null), "clone");
}

function endProcess(pid: number): void {
  checked(libc().kill(pid, SIGKILL), "kill");
  checked(libc().waitpid(pid, Buffer.alloc(4), WALL), "waitpid");
}

function writeMap(path: string, mappings: readonly IdMapping[]): void {
  const fd = openSync(path, constants.O_WRONLY);
  try {
    writeSync(fd, idMapText(mappings)); // the kernel wants all of it in one write
  } finally {
    closeSync(fd);
  }
}

/** Blocks every signal of this thread meanwhile; the child inherits that. */
function withSignalsBlocked<T>(work: () => T): T {
  const before = Buffer.alloc(128);
  libc().pthread_sigmask(SIG_SETMASK, Buffer.alloc(128, 0xff), before);
  try {
    return work();
  } finally {
    libc().pthread_sigmask(SIG_SETMASK, before, null);
  }
}

function newStack(): bigint {
  const mapped = libc().mmap(null, stackSize, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);
  if (BigInt.asIntN(64, mapped) === -1n) throw failed(libc().errno(), "mmap");
  return mapped;
}

function freeStack(stack: bigint): void {
  checked(libc().munmap(stack, stackSize), "munmap");
}
