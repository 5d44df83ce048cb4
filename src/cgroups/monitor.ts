import { Fault } from "../base/index.ts";
import type { Systemd } from "../host/index.ts";
import type { CgroupHost } from "./hierarchy.ts";
import type { CgroupDriver } from "./layout.ts";
import { placeMonitorByCgroupfs, removeMonitorByCgroupfs } from "./monitor-cgroupfs.ts";
import type { MonitorPlacement } from "./monitor-plan.ts";
import { placeMonitorBySystemd, removeMonitorBySystemd } from "./monitor-systemd.ts";
import type { CleanupOptions } from "./remove.ts";

export interface MonitorCgroups {
  /** Moves the monitor into a cgroup of its own. */
  place(placement: MonitorPlacement, options?: CleanupOptions): Promise<void>;
  /** Removes that cgroup, in any case the monitor had one; to be called when the monitor has ended. Idempotent. */
  remove(monitor: Pick<MonitorPlacement, "containerId" | "parent">, options?: CleanupOptions): Promise<void>;
}

/** The way of one driver. `systemd` is needed for the driver of that name. */
export function monitorCgroupsOf(driver: CgroupDriver, host: CgroupHost, systemd: Systemd | undefined): MonitorCgroups {
  if (driver === "cgroupfs") {
    return {
      place: (placement) => placeMonitorByCgroupfs(host, placement),
      remove: (monitor, options) => removeMonitorByCgroupfs(host, monitor, options),
    };
  }
  const required = () => {
    if (systemd !== undefined) return systemd;
    throw new Fault("precondition", "the systemd cgroup manager has no connection to systemd");
  };
  return {
    place: async (placement, options) => placeMonitorBySystemd({ systemd: required(), host }, placement, options),
    remove: async (monitor, options) => removeMonitorBySystemd(required(), monitor, options),
  };
}
