import type { MonitorResources } from "../cgroups/index.ts";
import type { RuntimeHandler } from "../runtime/index.ts";
import type { PodRecord } from "../state/index.ts";
import type { ContainerDeps } from "./deps.ts";
import { resourcesOfWorkload } from "./workloads.ts";

type PlaceDeps = Pick<ContainerDeps, "cgroups" | "options">;

/** How a monitor of a pod gets into its cgroup, with what the node and the pod's workload leave to monitors. */
export function monitorPlacer(
  deps: PlaceDeps,
  container: { readonly id: string; readonly pod: PodRecord; readonly handler: RuntimeHandler },
): (pid: number) => Promise<void> {
  const { id, pod, handler } = container;
  return (pid) =>
    deps.cgroups.placeMonitor({
      pid,
      containerId: id,
      parent: pod.cgroupParent,
      monitorCgroup: handler.monitor.cgroup,
      resources: monitorResources(deps.options, pod),
    });
}

/** The CPUs of the node's own work, and what the pod's workload has for `POD`. */
function monitorResources({ infraCpuset, workloads }: PlaceDeps["options"], pod: PodRecord): MonitorResources {
  const { cpus, shares, quota, period } = resourcesOfWorkload(workloads, pod.annotations, "POD") ?? {};
  return {
    cpuset: cpus ?? infraCpuset,
    ...(shares === undefined ? {} : { cpuShares: shares }),
    ...(quota === undefined ? {} : { cpuQuota: quota }),
    ...(period === undefined ? {} : { cpuPeriod: period }),
  };
}
