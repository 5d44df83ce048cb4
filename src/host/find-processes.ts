import { readdir } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { deadline } from "../base/index.ts";
import { readBounded } from "./bounded-read.ts";
import { type ProcessInfo, readProcess, signalSameProcess } from "./processes.ts";

/** Longer argument lists and environments are of programs that nobody here looks for. */
const maxTextBytes = 256 * 1024;
const readsAtOnce = 16;
const pollMs = 10;
const sigkill = 9;

/**
 * The processes whose argument list `matches`. A process chooses what it shows there: match on something that it cannot know
 * unless it was told. Those that come or go meanwhile may be missing; zombies are not among them.
 */
export async function findProcessesByArguments(
  matches: (args: readonly string[]) => boolean,
): Promise<readonly ProcessInfo[]> {
  return await findProcesses("cmdline", matches);
}

/** The processes that were started with the variable `name` set to `value`; the same holds. */
export async function findProcessesByVariable(name: string, value: string): Promise<readonly ProcessInfo[]> {
  return await findProcesses("environ", (entries) => entries.includes(`${name}=${value}`));
}

/** The processes of the session that the process `session` began, itself included. */
export async function findProcessesOfSession(session: number): Promise<readonly ProcessInfo[]> {
  return await livingProcesses(async (pid) => (await readProcess(pid))?.session === session);
}

/** Kills what `find` finds, again and again until that is nothing: processes have children. Rejects with Fault("deadline"). */
export async function killFound(
  find: () => Promise<readonly ProcessInfo[]>,
  { what, timeoutMs }: { readonly what: string; readonly timeoutMs: number },
): Promise<void> {
  using limit = deadline(timeoutMs, what);
  for (;;) {
    const found = await find();
    if (found.length === 0) return;
    for (const process of found) await signalSameProcess(process, sigkill);
    await delay(pollMs);
    limit.throwIfAborted();
  }
}

async function findProcesses(
  file: "cmdline" | "environ",
  matches: (entries: readonly string[]) => boolean,
): Promise<readonly ProcessInfo[]> {
  return await livingProcesses(async (pid) => matches(await entriesOf(`/proc/${pid}/${file}`)));
}

/** The processes, besides this one, that `isMeant`. */
async function livingProcesses(isMeant: (pid: number) => Promise<boolean>): Promise<readonly ProcessInfo[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const found: ProcessInfo[] = [];
  const look = async (): Promise<void> => {
    for (let pid = pids.pop(); pid !== undefined; pid = pids.pop()) {
      if (pid === process.pid || !(await isMeant(pid))) continue;
      const info = await readProcess(pid);
      if (info !== undefined && info.state !== "Z" && info.state !== "X") found.push(info);
    }
  };
  await Promise.all(Array.from({ length: readsAtOnce }, look));
  return found;
}

/** NUL ends every entry. */
async function entriesOf(path: string): Promise<readonly string[]> {
  try {
    const text = (await readBounded(path, maxTextBytes)).toString("utf8");
    return text.replace(/\0$/, "").split("\0");
  } catch {
    return []; // it has ended, or is none of those that are looked for
  }
}
