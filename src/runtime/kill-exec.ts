import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { isFault } from "../base/index.ts";
import { findProcessesOfSession, killFound, type StartedProgram } from "../host/index.ts";

const sigkill = 9;
const pollMs = 5;
/** How long a runtime that is to be killed may take to say which process it has started. */
const pidTimeoutMs = 2_000;
const sessionTimeoutMs = 2_000;

/** The pid in a runtime's or monitor's pid file; undefined where it has not got so far. */
export async function execPid(pidFile: string): Promise<number | undefined> {
  const pid = Number(await readFile(pidFile, "utf8").catch(() => ""));
  return Number.isSafeInteger(pid) && pid > 1 ? pid : undefined;
}

/**
 * The same, waiting for it as long as `program` runs. Killed before it has written the file, a runtime leaves behind a process that
 * nobody knows.
 */
export async function startedPid(program: StartedProgram, pidFile: string): Promise<number | undefined> {
  let hasEnded = false;
  const ended = () => {
    hasEnded = true;
  };
  program.exited.then(ended, ended);
  const until = performance.now() + pidTimeoutMs;
  for (;;) {
    const isLast = hasEnded || performance.now() > until;
    const pid = await execPid(pidFile);
    if (pid !== undefined || isLast) return pid;
    await delay(pollMs);
  }
}

/** Kills a process that a runtime has exec'd, and its process group: a shell's death does not end what it waits for. */
export function killExec(pid: number | undefined): void {
  if (pid === undefined) return;
  for (const target of [-pid, pid]) {
    try {
      process.kill(target, sigkill);
    } catch {
      // Gone, or no group of its own.
    }
  }
}

/**
 * Kills an exec'd process with its whole session: the groups too that a shell has made for its jobs. Gives up after two seconds, on
 * what the kernel does not let go or what starts others faster than it is found: the answer does not wait for that.
 */
export async function killExecSession(pid: number | undefined): Promise<void> {
  if (pid === undefined) return;
  killExec(pid);
  const what = `the end of the processes that a command left (session ${pid})`;
  try {
    await killFound(() => findProcessesOfSession(pid), { what, timeoutMs: sessionTimeoutMs });
  } catch (error) {
    if (!isFault(error, "deadline")) throw error;
  }
}
