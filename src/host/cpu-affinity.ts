import { readdir } from "node:fs/promises";
import { errnoOf, Fault, reasonOf } from "../base/index.ts";
import { libc } from "./libc.ts";
import { checked } from "./syscalls.ts";

/** Bits for as many CPUs as a Linux kernel can be built for. */
const maskBytes = 1024;

/**
 * Calls `start` with this thread confined to some CPUs: what it starts inherits that, before it runs a single instruction. Synchronous.
 * Without CPUs it is only called. Throws Fault("invalid") when none of them is one that this process may use.
 */
export function onCpus<T>(cpus: readonly number[], start: () => T): T {
  if (cpus.length === 0) return start();
  const before = Buffer.alloc(maskBytes);
  checked(libc().sched_getaffinity(0, maskBytes, before), "sched_getaffinity");
  confineTo(maskOf(cpus), cpus);
  try {
    return start();
  } finally {
    checked(libc().sched_setaffinity(0, maskBytes, before), "sched_setaffinity");
  }
}

/** Lets a process, all its threads, run on every CPU that its cgroup has, whatever it was started on. Nothing when it has ended. */
export async function onAllCpus(pid: number): Promise<void> {
  const all = Buffer.alloc(maskBytes, 0xff);
  try {
    for (const thread of await readdir(`/proc/${pid}/task`)) {
      checked(libc().sched_setaffinity(Number(thread), maskBytes, all), "sched_setaffinity");
    }
  } catch (error) {
    if (errnoOf(error) !== "ESRCH" && errnoOf(error) !== "ENOENT") throw error;
  }
}

function confineTo(mask: Buffer, cpus: readonly number[]): void {
  try {
    checked(libc().sched_setaffinity(0, maskBytes, mask), "sched_setaffinity");
  } catch (cause) {
    const why = `${reasonOf(cause)}: does this machine have them, and may this process use them?`;
    throw new Fault("invalid", `confining a program to the CPUs ${cpus.join(",")}: ${why}`, { cause });
  }
}

function maskOf(cpus: readonly number[]): Buffer {
  const mask = Buffer.alloc(maskBytes);
  for (const cpu of cpus) {
    if (cpu >= maskBytes * 8) throw new Fault("invalid", `there is no CPU ${cpu}`);
    mask[cpu >> 3] = (mask[cpu >> 3] ?? 0) | (1 << (cpu & 7));
  }
  return mask;
}
