/** What a daemon keeps in memory once it has thrown away what it does not need. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Daemon } from "./index.ts";

export interface Memory {
  /** JavaScript objects, and what they hold outside of the heap. */
  readonly usedBytes: number;
  /** All of the process that is in memory. */
  readonly residentBytes: number;
}

const line = /collected garbage" residentBytes=(\d+) heapBytes=(\d+) externalBytes=(\d+)/g;
const patienceMs = 20_000;

/** Has a daemon collect garbage (SIGUSR2), and takes what it says of its memory then. */
export async function memoryAfterCollection(daemon: Pick<Daemon, "pid" | "log">): Promise<Memory> {
  // Twice: what finalizers let go of in the first can be collected in the second.
  await collection(daemon);
  return await collection(daemon);
}

async function collection({ pid, log }: Pick<Daemon, "pid" | "log">): Promise<Memory> {
  const linesOf = async () => [...(await log()).matchAll(line)];
  const before = (await linesOf()).length;
  process.kill(pid, "SIGUSR2");
  for (const until = Date.now() + patienceMs; Date.now() < until; await sleep(20)) {
    const [, resident, heap, external] = (await linesOf())[before]?.map(Number) ?? [];
    if (resident === undefined || heap === undefined || external === undefined) continue;
    return { usedBytes: heap + external, residentBytes: resident };
  }
  throw new Error(`the daemon ${pid} does not say that it has collected garbage`);
}
