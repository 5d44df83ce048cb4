import { readdir, readFile, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

/** What a piece of work took. */
export interface Usage {
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** The most that the process had in memory at once. */
  readonly peakMiB: number;
}

/** What a long-lived process, with the children that it waited for, spends on `work`. */
export async function usageOf(pid: number, work: () => Promise<unknown>): Promise<Usage> {
  await writeFile(`/proc/${pid}/clear_refs`, "5"); // the peak starts anew
  const [began, cpuBefore] = [performance.now(), await cpuSecondsOf(pid)];
  await work();
  const seconds = (performance.now() - began) / 1000;
  return { seconds, cpuSeconds: (await cpuSecondsOf(pid)) - cpuBefore, peakMiB: await peakMiBOf(pid) };
}

/** What a program spends from its start to its end. Rejects unless it succeeds. */
export async function usageOfProgram(command: readonly string[]): Promise<Usage> {
  const { spawn } = await import("node:child_process");
  // bash tells what its children took, which nothing else here does of a child that is gone
  const script = `TIMEFORMAT='%R %U %S'; time "$@" >/run/bench-output 2>&1 || { tail -n 5 /run/bench-output >&2; exit 1; }`;
  const child = spawn("bash", ["-c", script, "bash", ...command], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (text) => {
    said += text;
  });
  let ended = false;
  const exited = new Promise<number | null>((resolve) => child.once("close", resolve));
  const code = exited.finally(() => {
    ended = true;
  });
  let peakMiB = 0;
  while (!ended) {
    for (const pid of await childrenOf(child.pid ?? -1)) peakMiB = Math.max(peakMiB, await peakMiBOf(pid));
    await Promise.race([sleep(20), code]);
  }
  if ((await code) !== 0) throw new Error(`${command.join(" ")}: ${said}`);
  const [seconds = 0, user = 0, system = 0] = (said.trim().split("\n").at(-1) ?? "").split(" ").map(Number);
  return { seconds, cpuSeconds: user + system, peakMiB };
}

async function childrenOf(pid: number): Promise<readonly number[]> {
  const children: number[] = [];
  for (const name of await readdir("/proc")) {
    const stat = /^\d+$/.test(name) ? await readFile(`/proc/${name}/stat`, "utf8").catch(() => "") : "";
    if (Number(fieldsOf(stat)[1]) === pid) children.push(Number(name));
  }
  return children;
}

async function peakMiBOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/^VmHWM:\s*(\d+) kB$/m.exec(text)?.[1] ?? 0) / 1024;
}

const ticksPerSecond = 100;

async function cpuSecondsOf(pid: number): Promise<number> {
  const fields = fieldsOf(await readFile(`/proc/${pid}/stat`, "utf8"));
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / ticksPerSecond;
}

/** Of proc_pid_stat(5), from the third on: the state is the first here. */
function fieldsOf(stat: string): readonly string[] {
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}
