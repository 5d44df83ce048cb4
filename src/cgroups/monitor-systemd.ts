import { Fault } from "../base/index.ts";
import { parseUnitName, type ScopePlan, type Systemd, scopeProperties, type UnitName } from "../host/index.ts";
import { cpuMask, parseCpuList } from "./cpu-list.ts";
import { systemdWeightFromShares } from "./cpu-weight.ts";
import type { CgroupHost } from "./hierarchy.ts";
import { givenResources, type MonitorPlacement, type MonitorResources } from "./monitor-plan.ts";
import { checkId } from "./path.ts";
import type { CleanupOptions } from "./remove.ts";
import { sliceOf, systemSlice } from "./slice.ts";

const SIGPIPE = 13;
const crioService: UnitName = parseUnitName("crio.service");

/** Starts the scope `crio-conmon-<id>.scope` around the monitor. Rejects with what systemd says. */
export async function placeMonitorBySystemd(
  { systemd, host }: { readonly systemd: Systemd; readonly host: Pick<CgroupHost, "version"> },
  placement: MonitorPlacement,
  options: CleanupOptions = {},
): Promise<void> {
  const plan = monitorScope(placement, host.version);
  await systemd.startTransientUnit(monitorUnit(placement.containerId), scopeProperties(plan), options);
}

/** Ends the scope of a monitor that has ended, and systemd's memory of it, should it have failed. Idempotent. */
export async function removeMonitorBySystemd(
  systemd: Systemd,
  { containerId }: Pick<MonitorPlacement, "containerId">,
  options: CleanupOptions = {},
): Promise<void> {
  const unit = monitorUnit(containerId);
  if (await systemd.stopUnit(unit, options)) await systemd.resetFailedUnit(unit, options);
}

export function monitorUnit(containerId: string): UnitName {
  return parseUnitName(`crio-conmon-${checkId(containerId)}.scope`);
}

/** Pure: the scope of a monitor. Throws Fault("invalid") for a configuration or workload that cannot be had. */
export function monitorScope(placement: MonitorPlacement, version: 1 | 2): ScopePlan {
  return {
    pids: [placement.pid],
    slice: monitorSlice(placement),
    delegate: true,
    // At shutdown the monitor must outlive its container to write down how it ended: it goes with the last processes.
    defaultDependencies: false,
    killSignal: SIGPIPE, // which the monitor ignores: stopping the scope leaves it to its work
    after: [crioService],
    ...limitsOf(givenResources(placement.resources), version),
  };
}

function monitorSlice({ monitorCgroup, parent }: MonitorPlacement): UnitName {
  const wanted = monitorCgroup === "pod" ? parent : monitorCgroup;
  if (wanted === "") return systemSlice;
  const slice = sliceOf(wanted);
  if (slice !== undefined) return slice;
  throw new Fault("invalid", `monitor cgroup ${JSON.stringify(wanted)}: under systemd it must be "pod" or a slice`);
}

function limitsOf(resources: MonitorResources, version: 1 | 2): Partial<ScopePlan> {
  const { cpuShares, cpuset, cpuQuota, cpuPeriod } = resources;
  return {
    ...(cpuShares === undefined || version === 2 ? {} : { cpuShares }),
    ...(cpuShares === undefined || version === 1 ? {} : { cpuWeight: systemdWeightFromShares(cpuShares) }),
    // systemd sets cpusets on v2 alone; on v1 the monitor keeps the affinity that it was started with.
    ...(cpuset === undefined || version === 1 ? {} : { allowedCpus: cpuMask(parseCpuList(cpuset)) }),
    ...(cpuQuota === undefined || cpuPeriod === undefined
      ? {}
      : { cpuQuota: { quotaMicros: cpuQuota, periodMicros: cpuPeriod } }),
  };
}
