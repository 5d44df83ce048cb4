import { readdir } from "node:fs/promises";
import { readBounded } from "./bounded-read.ts";
import { type ProcessInfo, readProcess } from "./processes.ts";

/** Longer argument lists and environments are of programs that nobody here looks for. */
const maxTextBytes = 256 * 1024;
const atOnce = 16;

/**
 * The processes whose argument list `matches`. A process chooses what it shows there: match on something that it cannot know
 * unless it was told. Those that come or go meanwhile may be missing.
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

async function findProcesses(
  file: "cmdline" | "environ",
  matches: (entries: readonly string[]) => boolean,
): Promise<readonly ProcessInfo[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const found: ProcessInfo[] = [];
  const look = async (): Promise<void> => {
    for (let pid = pids.pop(); pid !== undefined; pid = pids.pop()) {
      if (pid === process.pid || !matches(await entriesOf(`/proc/${pid}/${file}`))) continue;
      const info = await readProcess(pid);
      if (info !== undefined) found.push(info);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, look));
  return found;
}

async function entriesOf(path: string): Promise<readonly string[]> {
  try {
    return (await readBounded(path, maxTextBytes)).toString("utf8").split("\0");
  } catch {
    return []; // it has ended, or is none of those that are looked for
  }
}
