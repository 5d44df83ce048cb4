import { Fault } from "../base/index.ts";
import { parseCpuList } from "./cpu-list.ts";
import { weightFromShares } from "./cpu-weight.ts";
import type { CgroupHost } from "./hierarchy.ts";
import { killAll } from "./kill.ts";
import { makeCgroup } from "./make.ts";
import { givenResources, type MonitorPlacement, type MonitorResources } from "./monitor-plan.ts";
import { moveProcess } from "./move.ts";
import { type CgroupPath, checkId, childCgroup, parseCgroupPath } from "./path.ts";
import { type CleanupOptions, removeTree } from "./remove.ts";
import { type Setting, writeSetting } from "./settings.ts";

/**
 * Puts the monitor into `<pod>/crio-conmon-<id>` when `monitor_cgroup` is `pod` or it has limits of its own; else it stays
 * where it is. Leaves nothing behind when that fails.
 */
export async function placeMonitorByCgroupfs(host: CgroupHost, placement: MonitorPlacement): Promise<void> {
  const { monitorCgroup } = placement;
  const resources = givenResources(placement.resources);
  if (monitorCgroup !== "" && monitorCgroup !== "pod") {
    throw new Fault(
      "invalid",
      `monitor cgroup ${JSON.stringify(monitorCgroup)}: under cgroupfs it must be "" or "pod"`,
    );
  }
  if (monitorCgroup === "" && Object.keys(resources).length === 0) return;
  const path = monitorPath(placement);
  const settings = monitorSettings(path, resources, host.version);
  try {
    await makeCgroup(
      host,
      path,
      settings.map(([{ controller }]) => controller),
    );
    for (const [setting, value] of settings) await writeSetting(host, setting, value);
    await moveProcess(host, placement.pid, path);
  } catch (error) {
    await removeTree(host, path, { timeoutMs: 1000 }).catch(() => {}); // the first failure is the one to tell
    throw error;
  }
}

/** Removes that cgroup, ending first what the monitor left in it, such as the child of a runtime that hung; what is not there is fine. */
export async function removeMonitorByCgroupfs(
  host: CgroupHost,
  monitor: Pick<MonitorPlacement, "containerId" | "parent">,
  options?: CleanupOptions,
): Promise<void> {
  const path = monitorPath(monitor);
  await killAll(host, path, options);
  await removeTree(host, path, options);
}

function monitorPath({ parent, containerId }: Pick<MonitorPlacement, "containerId" | "parent">): CgroupPath {
  return childCgroup(parseCgroupPath(parent === "" ? "crio" : parent), `crio-conmon-${checkId(containerId)}`);
}

/** Pure: what is to be written where. */
export function monitorSettings(
  path: CgroupPath,
  { cpuShares, cpuset, cpuQuota, cpuPeriod }: MonitorResources,
  version: 1 | 2,
): readonly (readonly [Setting, string])[] {
  const settings: (readonly [Setting, string])[] = [];
  const add = (controller: string, file: string, value: string | bigint) =>
    settings.push([{ path, controller, file: `${controller}.${file}` }, String(value)]);
  if (cpuset !== undefined) add("cpuset", "cpus", parseCpuList(cpuset).join(","));
  if (cpuShares !== undefined && version === 2) add("cpu", "weight", weightFromShares(cpuShares));
  if (cpuShares !== undefined && version === 1) add("cpu", "shares", cpuShares);
  if (cpuQuota === undefined || cpuPeriod === undefined) return settings;
  if (version === 2) {
    add("cpu", "max", `${cpuQuota < 0n ? "max" : cpuQuota} ${cpuPeriod}`);
  } else {
    add("cpu", "cfs_period_us", cpuPeriod);
    add("cpu", "cfs_quota_us", cpuQuota < 0n ? -1n : cpuQuota);
  }
  return settings;
}
