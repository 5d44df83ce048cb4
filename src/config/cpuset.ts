import { Fault } from "../base/index.ts";

/** More CPUs than any kernel is built for; keeps `0-99999999999` from filling memory. */
const highestCpu = 65_535;

/** Parses a kernel CPU list such as `0-3,8` into ascending CPU numbers; empty text is an empty set. Throws `Fault("invalid")`. */
export function parseCpuset(text: string): readonly number[] {
  if (text === "") return [];
  const cpus = new Set<number>();
  for (const part of text.split(",")) {
    const [, first, last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part.trim()) ?? [];
    const [low, high] = [Number(first), Number(last)];
    if (!(low <= high && high <= highestCpu)) {
      throw new Fault("invalid", `invalid CPU list ${JSON.stringify(text.slice(0, 64))}: write it as 0-3,8`);
    }
    for (let cpu = low; cpu <= high; cpu++) cpus.add(cpu);
  }
  return [...cpus].sort((a, b) => a - b);
}
