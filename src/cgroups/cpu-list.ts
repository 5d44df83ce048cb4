import { Fault } from "../base/index.ts";

/** The most CPUs that a Linux kernel can be built for. */
const maxCpus = 8192;

/** The CPUs of a list such as `0-3,7`, in order, each once. Throws Fault("invalid"); an empty list has none. */
export function parseCpuList(text: string): readonly number[] {
  const cpus = new Set<number>();
  for (const part of text.trim() === "" ? [] : text.trim().split(",")) {
    const [, first, last = first] = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(part) ?? [];
    if (first === undefined || Number(first) > Number(last) || Number(last) >= maxCpus) {
      throw new Fault("invalid", `not a list of CPUs: ${JSON.stringify(text.slice(0, 200))}`);
    }
    for (let cpu = Number(first); cpu <= Number(last); cpu++) cpus.add(cpu);
  }
  return [...cpus].sort((a, b) => a - b);
}

/** One bit for each CPU, the lowest first, as systemd takes them. */
export function cpuMask(cpus: readonly number[]): Uint8Array {
  const mask = new Uint8Array(Math.floor(Math.max(-1, ...cpus) / 8) + 1);
  for (const cpu of cpus) mask[cpu >> 3] = (mask[cpu >> 3] ?? 0) | (1 << (cpu & 7));
  return mask;
}
