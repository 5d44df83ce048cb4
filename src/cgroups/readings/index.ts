import type { CgroupHost } from "../hierarchy.ts";
import type { CgroupPath } from "../path.ts";
import { type CpuReading, readCpu } from "./cpu.ts";
import { type HugetlbReading, readHugetlb } from "./hugetlb.ts";
import { type IoReading, readIo } from "./io.ts";
import { type MemoryReading, readMemory } from "./memory.ts";
import { type MemoryHistoryReading, readMemoryHistory } from "./memory-history.ts";
import { type PidsReading, readPids } from "./pids.ts";
import { type PressureReading, readPressure } from "./pressure.ts";
import { readSwap, type SwapReading } from "./swap.ts";

/** What the kernel says of a cgroup. A part is undefined (or empty) when the cgroup or the part's controller is not there. */
export interface CgroupReadings {
  readonly cpu: CpuReading | undefined;
  readonly memory: MemoryReading | undefined;
  readonly memoryHistory: MemoryHistoryReading | undefined;
  readonly swap: SwapReading | undefined;
  readonly pids: PidsReading | undefined;
  readonly hugetlb: readonly HugetlbReading[];
  readonly io: readonly IoReading[];
  readonly pressure: PressureReading | undefined;
}

export type ReadingArea = keyof CgroupReadings;

type Readers = {
  readonly [A in ReadingArea]: (host: CgroupHost, path: CgroupPath) => Promise<CgroupReadings[A]>;
};

const readers: Readers = {
  cpu: readCpu,
  memory: readMemory,
  memoryHistory: readMemoryHistory,
  swap: readSwap,
  pids: readPids,
  hugetlb: readHugetlb,
  io: readIo,
  pressure: readPressure,
};

/** Reads the named areas and no others: each costs one to four files. */
export async function readAreas<A extends ReadingArea>(
  host: CgroupHost,
  path: CgroupPath,
  areas: readonly A[],
): Promise<Pick<CgroupReadings, A>> {
  const values = await Promise.all(areas.map((area) => readers[area](host, path)));
  return Object.fromEntries(areas.map((area, i) => [area, values[i]])) as Pick<CgroupReadings, A>;
}
