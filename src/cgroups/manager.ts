import type { Logger } from "../base/index.ts";
import type { Systemd } from "../host/index.ts";
import { type FreezerState, readFreezer } from "./freezer.ts";
import type { CgroupHost } from "./hierarchy.ts";
import { createInfraCgroup, infraCgroup, removeInfraCgroup } from "./infra.ts";
import { killAll } from "./kill.ts";
import { type CgroupDriver, type CgroupLayout, layoutOf } from "./layout.ts";
import { readMemoryLimit, requireMemory } from "./memory-limit.ts";
import { monitorCgroupsOf } from "./monitor.ts";
import type { MonitorPlacement } from "./monitor-plan.ts";
import { cgroupOfProcess, moveProcess } from "./move.ts";
import type { CgroupPath } from "./path.ts";
import { processesIn } from "./processes.ts";
import { type CgroupReadings, type ReadingArea, readAreas } from "./readings/index.ts";
import { readOomKills } from "./readings/memory-history.ts";
import { type CleanupOptions, removeTree } from "./remove.ts";
import { readSetting, type Setting, writeSetting } from "./settings.ts";

/**
 * Everything that the rest of the daemon does with cgroups.
 *
 * A walk-through: `sandboxPath` decides and records where a pod's cgroups are (refusing hostile parents), `containerPath`
 * goes into each `config.json`, and the OCI runtime makes and limits the cgroups. `placeMonitor` takes conmon out of ours.
 * While they live, `readings(containerCgroup(parent, id), ["cpu", "memory"])` tells how they fare. At the end the runtime
 * removes what it made; `killAll` and `removeTree` are for when it could not. Paths derive from parent and id alone, so
 * release works after a restart from the record.
 */
export interface CgroupManager extends CgroupLayout {
  readonly version: 1 | 2;
  /** Whether containers can have limits by this controller: `memory`, `pids`, `hugetlb` … */
  hasController(name: string): boolean;
  readonly swapAccounting: boolean;
  /** `2MB`, `1GB`. */
  readonly hugePageSizes: readonly string[];

  /** The limit of the pod's parent cgroup; undefined for none. A missing file is logged as a warning and means none. */
  parentMemoryLimit(parent: string): Promise<bigint | undefined>;
  /** Rejects with Fault("invalid") when that limit is below what the handler needs for a container. */
  requireParentMemory(parent: string, minimumBytes: bigint): Promise<void>;

  /** Moves a monitor into its own scope or cgroup. Rejects with systemd's or the kernel's words; leaves nothing then. */
  placeMonitor(placement: MonitorPlacement, options?: CleanupOptions): Promise<void>;
  /** Removes what `placeMonitor` made, once the monitor has ended. Idempotent. */
  removeMonitorCgroup(
    monitor: Pick<MonitorPlacement, "containerId" | "parent">,
    options?: CleanupOptions,
  ): Promise<void>;

  /** Makes the empty cgroup of a dropped infra container; nothing for a pod without a parent. */
  createInfraCgroup(parent: string, id: string): Promise<void>;
  /** Removes it. Idempotent. */
  removeInfraCgroup(parent: string, id: string, options?: CleanupOptions): Promise<void>;

  /** Reads the named areas and no others. */
  readings<A extends ReadingArea>(path: CgroupPath, areas: readonly A[]): Promise<Pick<CgroupReadings, A>>;
  /** How many processes were killed for want of memory; undefined when the cgroup is gone. */
  oomKills(path: CgroupPath): Promise<bigint | undefined>;
  freezerState(path: CgroupPath): Promise<FreezerState | undefined>;
  /** One file of the kernel; for what only one feature needs (load balancing, quotas). */
  readSetting(setting: Setting): Promise<string | undefined>;
  writeSetting(setting: Setting, value: string): Promise<void>;

  /** The processes in a cgroup and below. */
  processes(path: CgroupPath, options?: CleanupOptions): Promise<readonly number[]>;
  /** The cgroup of a process: below that of its container when the runtime or a systemd inside made more. */
  cgroupOf(pid: number): Promise<CgroupPath | undefined>;
  moveProcess(pid: number, path: CgroupPath): Promise<void>;
  /** Kills all that is in a cgroup and below and waits for the end. */
  killAll(path: CgroupPath, options?: CleanupOptions): Promise<void>;
  /** Removes a cgroup and all below from every hierarchy. Idempotent. */
  removeTree(path: CgroupPath, options?: CleanupOptions): Promise<void>;
}

export interface CgroupManagerDeps {
  readonly log: Logger;
  /** Needed by the systemd driver. */
  readonly systemd?: Systemd;
}

/** The manager of the configured driver on this machine. Does nothing yet. */
export function createCgroupManager(driver: CgroupDriver, host: CgroupHost, deps: CgroupManagerDeps): CgroupManager {
  const { log, systemd } = deps;
  const layout = layoutOf(driver);
  const monitors = monitorCgroupsOf(driver, host, systemd);
  const parentMemoryLimit = async (parent: string) => {
    const pod = layout.podCgroup(parent);
    return pod === undefined ? undefined : readMemoryLimit(host, pod, log);
  };
  return {
    ...layout,
    version: host.version,
    hasController: (name) => host.controllers.has(name),
    swapAccounting: host.swapAccounting,
    hugePageSizes: host.hugePageSizes,
    parentMemoryLimit,
    requireParentMemory: async (parent, minimumBytes) => requireMemory(await parentMemoryLimit(parent), minimumBytes),
    placeMonitor: monitors.place,
    removeMonitorCgroup: monitors.remove,
    createInfraCgroup: async (parent, id) => {
      const path = infraCgroup(layout, parent, id);
      if (path !== undefined) await createInfraCgroup(host, path);
    },
    removeInfraCgroup: async (parent, id, options) => {
      const path = infraCgroup(layout, parent, id);
      if (path !== undefined) await removeInfraCgroup(host, path, options);
    },
    readings: (path, areas) => readAreas(host, path, areas),
    oomKills: (path) => readOomKills(host, path),
    freezerState: (path) => readFreezer(host, path),
    readSetting: (setting) => readSetting(host, setting),
    writeSetting: (setting, value) => writeSetting(host, setting, value),
    processes: (path, options) => processesIn(host, path, options),
    cgroupOf: (pid) => cgroupOfProcess(host, pid),
    moveProcess: (pid, path) => moveProcess(host, pid, path),
    killAll: (path, options) => killAll(host, path, options),
    removeTree: (path, options) => removeTree(host, path, options),
  };
}
