/** A container's monitor (conmon) and where it shall be. */
export interface MonitorPlacement {
  readonly pid: number;
  readonly containerId: string;
  /** The pod's recorded cgroup parent. */
  readonly parent: string;
  /** The handler's `monitor_cgroup`: `pod`, a slice (systemd), or "" for system.slice (systemd) or where we are (cgroupfs). */
  readonly monitorCgroup: string;
  readonly resources?: MonitorResources;
}

/** From the pod's workload and `infra_ctr_cpuset`. What is absent, "" or 0 is not limited. */
export interface MonitorResources {
  readonly cpuShares?: bigint;
  /** A list such as `0-3,7`. */
  readonly cpuset?: string;
  /** Microseconds in each `cpuPeriod` microseconds (100 000 when absent). */
  readonly cpuQuota?: bigint;
  readonly cpuPeriod?: bigint;
}

/** What is really asked for. Shares are brought into the kernel's range, as the kernel does. */
export function givenResources(resources: MonitorResources = {}): MonitorResources {
  const { cpuShares = 0n, cpuset = "", cpuQuota = 0n, cpuPeriod = 0n } = resources;
  const shares = cpuShares < 2n ? 2n : cpuShares > 262_144n ? 262_144n : cpuShares;
  return {
    ...(cpuShares === 0n ? {} : { cpuShares: shares }),
    ...(cpuset === "" ? {} : { cpuset }),
    ...(cpuQuota === 0n ? {} : { cpuQuota, cpuPeriod: cpuPeriod === 0n ? defaultPeriodMicros : cpuPeriod }),
  };
}

const defaultPeriodMicros = 100_000n;
