import { isFault } from "../base/index.ts";
import type { CgroupHost } from "./hierarchy.ts";
import type { CgroupLayout } from "./layout.ts";
import { makeCgroup } from "./make.ts";
import { type CgroupPath, checkId, childCgroup } from "./path.ts";
import { type CleanupOptions, removeTree } from "./remove.ts";
import { writeSetting } from "./settings.ts";

/** Where node agents look for a pod whose infra container was dropped; undefined for a pod without a parent. */
export function infraCgroup(layout: CgroupLayout, parent: string, id: string): CgroupPath | undefined {
  const pod = layout.podCgroup(parent);
  return pod === undefined ? undefined : childCgroup(pod, `crio-${checkId(id)}`);
}

/** Makes it, empty, in every hierarchy; under systemd too it is a plain directory. Leaves nothing of it when that fails. */
export async function createInfraCgroup(host: CgroupHost, path: CgroupPath): Promise<void> {
  try {
    await makeCgroup(host, path);
    await stopLoadBalancing(host, path);
  } catch (error) {
    await removeTree(host, path).catch(() => {}); // the first failure is the one to tell
    throw error;
  }
}

/** Removes it with all that is below; what is not there is fine. */
export async function removeInfraCgroup(host: CgroupHost, path: CgroupPath, options?: CleanupOptions): Promise<void> {
  await removeTree(host, path, options);
}

/** v1: an empty cpuset that covers all CPUs would join the scheduling domains that containers with own CPUs split. */
async function stopLoadBalancing(host: CgroupHost, path: CgroupPath): Promise<void> {
  if (host.version === 2) return;
  try {
    await writeSetting(host, { path, controller: "cpuset", file: "cpuset.sched_load_balance" }, "0");
  } catch (error) {
    if (!isFault(error, "not-found")) throw error; // a host without cpusets
  }
}
