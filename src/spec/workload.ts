import { Fault } from "../base/index.ts";
import { type JsonObject, jsonField, jsonText, parseJsonObject } from "../oci/index.ts";

/** Resources of a workload, as `linux.resources.cpu` names them; only what is set. */
export interface WorkloadResources {
  readonly cpus?: string;
  readonly shares?: bigint;
  readonly quota?: bigint;
  readonly period?: bigint;
}

/** The `resources` table of a workload in the configuration; 0 and "" mean "not set". */
export interface WorkloadDefaults {
  readonly cpuset: string;
  readonly cpushares: bigint;
  readonly cpuquota: bigint;
  readonly cpuperiod: bigint;
}

const maxAnnotationBytes = 64 * 1024;
const defaultPeriod = 100_000n;
/** The kernel takes no quota below a millisecond. */
const minQuota = 1000n;

/**
 * What a workload gives a container (reference: annotations-and-features.md 3): its own annotation, whose missing parts are the
 * table's, or the table alone. A `cpulimit` in thousandths of a CPU then decides the quota. Rejects with Fault("invalid").
 */
export function workloadResources(defaults: WorkloadDefaults, annotation: string | undefined): WorkloadResources {
  if (annotation === undefined) return onlySet(defaults);
  const own = parseJsonObject(Buffer.from(annotation), "the workload annotation", maxAnnotationBytes);
  const merged = {
    cpuset: orElse(jsonText(own, "cpuset", "the workload annotation") ?? "", defaults.cpuset, ""),
    cpushares: orElse(integerOf(own, "cpushares"), defaults.cpushares, 0n),
    cpuquota: orElse(integerOf(own, "cpuquota"), defaults.cpuquota, 0n),
    cpuperiod: orElse(integerOf(own, "cpuperiod"), defaults.cpuperiod, 0n),
  };
  const cpuset = merged.cpuset;
  if (cpuset !== "" && !/^\d{1,6}(-\d{1,6})?(,\d{1,6}(-\d{1,6})?)*$/.test(cpuset)) {
    throw new Fault(
      "invalid",
      `the workload annotation's cpuset ${JSON.stringify(cpuset.slice(0, 200))} is not a list such as 0-3,7`,
    );
  }
  const limit = integerOf(own, "cpulimit");
  return onlySet(limit === 0n ? merged : { ...merged, ...quotaFor(limit, merged.cpuperiod) });
}

function quotaFor(millicores: bigint, period: bigint): Pick<WorkloadDefaults, "cpuquota" | "cpuperiod"> {
  const cpuperiod = period === 0n ? defaultPeriod : period;
  const quota = (millicores * cpuperiod) / 1000n;
  return { cpuquota: quota < minQuota ? minQuota : quota, cpuperiod };
}

function onlySet({ cpuset, cpushares, cpuquota, cpuperiod }: WorkloadDefaults): WorkloadResources {
  return {
    ...(cpushares === 0n ? {} : { shares: cpushares }),
    ...(cpuquota === 0n ? {} : { quota: cpuquota }),
    ...(cpuperiod === 0n ? {} : { period: cpuperiod }),
    ...(cpuset === "" ? {} : { cpus: cpuset }),
  };
}

function integerOf(object: JsonObject, key: string): bigint {
  const value = jsonField(object, key) ?? 0;
  const minimum = key === "cpuquota" ? -1 : 0;
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < minimum) {
    throw new Fault("invalid", `the workload annotation's ${key} is not a whole number`);
  }
  return BigInt(value);
}

function orElse<T>(value: T, fallback: T, unset: T): T {
  return value === unset ? fallback : value;
}
