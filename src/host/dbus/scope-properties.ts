import { Fault } from "../../base/index.ts";
import type { UnitName } from "./unit-name.ts";
import { type DbusValue, type Variant, variant } from "./value.ts";

/** A property of a unit as `StartTransientUnit` takes it. */
export type UnitProperty = readonly [name: string, value: Variant];

/** What a transient scope shall be. What is absent stays as systemd has it by default. */
export interface ScopePlan {
  /** The processes that go into the scope; at least one, alive. */
  readonly pids: readonly number[];
  readonly slice: UnitName;
  readonly description?: string;
  /** Who is inside may make cgroups below; on v1 this also brings in every controller. */
  readonly delegate?: boolean;
  /** False: the scope is not stopped at shutdown before everything else is. */
  readonly defaultDependencies?: boolean;
  /** The number of the signal that stopping the unit sends. */
  readonly killSignal?: number;
  readonly after?: readonly UnitName[];
  /** cgroup v1, 2 to 262144. */
  readonly cpuShares?: bigint;
  /** cgroup v2, 1 to 10000. */
  readonly cpuWeight?: bigint;
  /** Microseconds of CPU time in each period of microseconds; a quota of 0 or less means no limit. */
  readonly cpuQuota?: { readonly quotaMicros: bigint; readonly periodMicros: bigint };
  /** cgroup v2: bit n of byte n/8 is CPU n. */
  readonly allowedCpus?: Uint8Array;
}

/** The typed properties of a scope. Throws Fault("invalid") for numbers out of systemd's range. */
export function scopeProperties(plan: ScopePlan): readonly UnitProperty[] {
  const properties: UnitProperty[] = [];
  const add = (name: string, signature: string, value: DbusValue | undefined) => {
    if (value !== undefined) properties.push([name, variant(signature, value)]);
  };
  add("Description", "s", plan.description);
  add("Slice", "s", plan.slice);
  add("PIDs", "au", pidsOf(plan));
  add("Delegate", "b", plan.delegate);
  add("DefaultDependencies", "b", plan.defaultDependencies);
  add("KillSignal", "i", plan.killSignal);
  add("After", "as", plan.after);
  add("CPUShares", "t", inRange("CPU shares", plan.cpuShares, 2n, 262_144n));
  add("CPUWeight", "t", inRange("CPU weight", plan.cpuWeight, 1n, 10_000n));
  if (plan.cpuQuota !== undefined) {
    add("CPUQuotaPeriodUSec", "t", inRange("CPU period", plan.cpuQuota.periodMicros, 1_000n, 1_000_000n));
    add("CPUQuotaPerSecUSec", "t", quotaPerSecond(plan.cpuQuota));
  }
  add("AllowedCPUs", "ay", plan.allowedCpus);
  return properties;
}

function pidsOf({ pids }: ScopePlan): readonly number[] {
  if (pids.length === 0 || pids.some((pid) => !Number.isSafeInteger(pid) || pid <= 0)) {
    throw new Fault("invalid", `a scope needs processes, not [${pids.join(", ")}]`); // 0 would mean the caller
  }
  return pids;
}

function inRange(what: string, value: bigint | undefined, least: bigint, most: bigint): bigint | undefined {
  if (value !== undefined && (value < least || value > most)) {
    throw new Fault("invalid", `${what} must be from ${least} to ${most}, not ${value}`);
  }
  return value;
}

const noQuota = 0xffff_ffff_ffff_ffffn;

/** systemd keeps whole percents; rounding up never gives less than was asked for. */
function quotaPerSecond({ quotaMicros, periodMicros }: NonNullable<ScopePlan["cpuQuota"]>): bigint {
  if (quotaMicros <= 0n) return noQuota;
  const perSecond = (quotaMicros * 1_000_000n) / periodMicros;
  return ((perSecond + 9_999n) / 10_000n) * 10_000n;
}
