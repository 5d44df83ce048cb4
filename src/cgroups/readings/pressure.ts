import type { CgroupHost } from "../hierarchy.ts";
import { parseCount } from "../numbers.ts";
import type { CgroupPath } from "../path.ts";
import { readSetting } from "../settings.ts";

/** How long processes waited for a resource (PSI, Documentation/accounting/psi.rst). */
export interface PressureReading {
  readonly cpu: ResourcePressure | undefined;
  readonly memory: ResourcePressure | undefined;
  readonly io: ResourcePressure | undefined;
}

export interface ResourcePressure {
  /** At least one process waited. */
  readonly some: PressureTimes;
  /** All of them waited at once. */
  readonly full: PressureTimes;
}

export interface PressureTimes {
  /** Percent of the last 10, 60 and 300 seconds. */
  readonly avg10: number;
  readonly avg60: number;
  readonly avg300: number;
  readonly totalMicros: bigint;
}

/** v2 alone; each part is undefined on a kernel without PSI and when the cgroup is not there. */
export async function readPressure(host: CgroupHost, path: CgroupPath): Promise<PressureReading | undefined> {
  if (host.version === 1) return undefined;
  const files = ["cpu.pressure", "memory.pressure", "io.pressure"];
  const [cpu, memory, io] = await Promise.all(
    files.map((file) => readSetting(host, { path, controller: "core", file })),
  );
  return { cpu: pressureFrom(cpu), memory: pressureFrom(memory), io: pressureFrom(io) };
}

/** From lines of `some avg10=0.00 avg60=0.00 avg300=0.00 total=0` and `full …`. */
export function pressureFrom(text: string | undefined): ResourcePressure | undefined {
  const some = timesOf("some", text);
  if (some === undefined) return undefined;
  const none = { avg10: 0, avg60: 0, avg300: 0, totalMicros: 0n };
  return { some, full: timesOf("full", text) ?? none }; // cpu.pressure had no such line before Linux 5.13
}

const linePattern = /^(some|full) avg10=([\d.]{1,7}) avg60=([\d.]{1,7}) avg300=([\d.]{1,7}) total=(\d{1,20})$/;

function timesOf(kind: "some" | "full", text: string | undefined): PressureTimes | undefined {
  for (const line of text?.split("\n") ?? []) {
    const [, found, avg10, avg60, avg300, total] = linePattern.exec(line) ?? [];
    const totalMicros = parseCount(total);
    if (found !== kind || totalMicros === undefined) continue;
    return { avg10: Number(avg10), avg60: Number(avg60), avg300: Number(avg300), totalMicros };
  }
  return undefined;
}
