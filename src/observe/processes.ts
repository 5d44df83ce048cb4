import { readdir, readFile } from "node:fs/promises";
import { readProcess } from "../host/index.ts";

/** A process that somebody waits for, as the kernel tells of it. */
export interface WaitingProcess {
  readonly pid: number;
  readonly command: string;
  /** One letter, as ps shows it. */
  readonly state: string;
  /** Where in the kernel it waits; "" when it does not or the kernel does not say. */
  readonly waitChannel: string;
  readonly isFrozen: boolean;
}

const mostProcesses = 20;
const deepest = 8;

/** The process and those that it started, each before its own children; none when there is no such process. Reads nothing that can block. */
export async function processTree(pid: number): Promise<readonly WaitingProcess[]> {
  const found: WaitingProcess[] = [];
  await collect(pid, 0, found);
  return found;
}

async function collect(pid: number, depth: number, found: WaitingProcess[]): Promise<void> {
  if (depth > deepest || found.length >= mostProcesses) return;
  const seen = await lookAt(pid);
  if (seen === undefined) return;
  found.push(seen);
  for (const child of await childrenOf(pid)) await collect(child, depth + 1, found);
}

/** From stat, wchan and cgroup: cmdline waits for the memory map, which a process that hangs in the kernel may hold. */
async function lookAt(pid: number): Promise<WaitingProcess | undefined> {
  const info = await readProcess(pid);
  if (info === undefined) return undefined;
  const wchan = (await readFile(`/proc/${pid}/wchan`, "latin1").catch(() => "")).trim();
  const waitChannel = wchan === "0" ? "" : wchan;
  return {
    pid,
    command: info.command,
    state: info.state,
    waitChannel,
    isFrozen: /freez|refrigerator/.test(waitChannel) || (await isCgroupFrozen(pid)),
  };
}

/** cgroup v2's own file, and version 1's freezer. Where neither can be read, it is not known to be frozen. */
async function isCgroupFrozen(pid: number): Promise<boolean> {
  const lines = (await readFile(`/proc/${pid}/cgroup`, "utf8").catch(() => "")).split("\n");
  for (const line of lines) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers === "freezer") {
      const state = await readFile(`/sys/fs/cgroup/freezer${path}/freezer.state`, "latin1").catch(() => "");
      if (state !== "" && !state.startsWith("THAWED")) return true;
    } else if (controllers === "") {
      const events = await readFile(`/sys/fs/cgroup${path}/cgroup.events`, "latin1").catch(() => "");
      if (/^frozen 1$/m.test(events)) return true;
    }
  }
  return false;
}

async function childrenOf(pid: number): Promise<readonly number[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const texts = await Promise.all(
    threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/children`, "latin1").catch(() => "")),
  );
  return texts
    .flatMap((text) => text.trim().split(" "))
    .filter((text) => text !== "")
    .map(Number);
}
