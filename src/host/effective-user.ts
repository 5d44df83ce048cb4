import { reasonOf } from "../base/index.ts";
import { Homeless } from "./homeless.ts";
import { libc } from "./libc.ts";
import { checked } from "./syscalls.ts";

const PR_GET_DUMPABLE = 3;
const PR_SET_DUMPABLE = 4;
const unchanged = 0xffff_ffff;

/**
 * Runs `work` with this thread, and no other, having the effective user id `uid`, without root's capabilities. Throws
 * Homeless when it cannot become root again. Synchronous; for a worker thread of root.
 */
export function asEffectiveUser<T>(uid: number, work: () => T): T {
  const wasDumpable = libc().prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) === 1;
  become(uid);
  try {
    return work();
  } finally {
    comeBack();
    // A change of user ids makes the whole process undumpable, which hides parts of its /proc from others.
    if (wasDumpable) libc().prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  }
}

function comeBack(): void {
  try {
    become(0);
  } catch (error) {
    throw new Homeless("failed", `becoming root again: ${reasonOf(error)}`, { cause: error });
  }
}

/** The real and the saved id stay root's: that is the way back. */
function become(uid: number): void {
  const number = process.arch === "x64" ? 117 : 147;
  checked(libc().setresuidThread(number, unchanged, uid, unchanged), "setresuid");
}
