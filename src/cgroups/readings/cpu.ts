import type { CgroupHost } from "../hierarchy.ts";
import { parseCount, parseKeyed } from "../numbers.ts";
import type { CgroupPath } from "../path.ts";
import { readSetting } from "../settings.ts";

export interface CpuReading {
  /** CPU time of all processes that are or were in the cgroup. */
  readonly usageNanos: bigint;
  readonly userNanos: bigint;
  readonly systemNanos: bigint;
  /** CPU time by CPU number; v1 alone tells it. */
  readonly perCpuNanos: readonly bigint[];
  /** Periods in which a quota was in force, those in which it ran out, and how long processes waited then. */
  readonly periods: bigint;
  readonly throttledPeriods: bigint;
  readonly throttledNanos: bigint;
}

/** Undefined when the cgroup or its controller is not there. */
export async function readCpu(host: CgroupHost, path: CgroupPath): Promise<CpuReading | undefined> {
  const cpuStat = readSetting(host, { path, controller: "cpu", file: "cpu.stat" });
  if (host.version === 2) return cpuFromV2(await cpuStat);
  const [usage, stat, perCpu, throttling] = await Promise.all([
    readSetting(host, { path, controller: "cpuacct", file: "cpuacct.usage" }),
    readSetting(host, { path, controller: "cpuacct", file: "cpuacct.stat" }),
    readSetting(host, { path, controller: "cpuacct", file: "cpuacct.usage_percpu" }),
    cpuStat,
  ]);
  return cpuFromV1({ usage, stat, perCpu, throttling });
}

/** From `cpu.stat` of v2, in microseconds. */
export function cpuFromV2(text: string | undefined): CpuReading | undefined {
  const values = parseKeyed(text);
  const usage = values.get("usage_usec");
  if (usage === undefined) return undefined;
  const micros = (name: string) => (values.get(name) ?? 0n) * 1000n;
  return {
    usageNanos: usage * 1000n,
    userNanos: micros("user_usec"),
    systemNanos: micros("system_usec"),
    perCpuNanos: [],
    periods: values.get("nr_periods") ?? 0n,
    throttledPeriods: values.get("nr_throttled") ?? 0n,
    throttledNanos: micros("throttled_usec"),
  };
}

/** `cpuacct.stat` counts in USER_HZ, which is 100 on every architecture that Node runs on. */
const tickNanos = 10_000_000n;

/** From `cpuacct.usage`, `cpuacct.stat`, `cpuacct.usage_percpu` and `cpu.stat` of v1. */
export function cpuFromV1(texts: {
  readonly usage: string | undefined;
  readonly stat: string | undefined;
  readonly perCpu: string | undefined;
  readonly throttling: string | undefined;
}): CpuReading | undefined {
  const usageNanos = parseCount(texts.usage);
  if (usageNanos === undefined) return undefined;
  const stat = parseKeyed(texts.stat);
  const throttling = parseKeyed(texts.throttling);
  return {
    usageNanos,
    userNanos: (stat.get("user") ?? 0n) * tickNanos,
    systemNanos: (stat.get("system") ?? 0n) * tickNanos,
    perCpuNanos: (texts.perCpu ?? "").split(/\s+/).flatMap((value) => parseCount(value) ?? []),
    periods: throttling.get("nr_periods") ?? 0n,
    throttledPeriods: throttling.get("nr_throttled") ?? 0n,
    throttledNanos: throttling.get("throttled_time") ?? 0n,
  };
}
