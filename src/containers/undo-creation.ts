import { rm } from "node:fs/promises";
import { join } from "node:path";
import { reasonOf } from "../base/index.ts";
import { deleteInRuntime, endCreation, removeExitFiles } from "../runtime/index.ts";
import type { PodRecord } from "../state/index.ts";
import type { ContainerDeps } from "./deps.ts";
import { everyStep } from "./release.ts";

/** The pod that a container was made for, as far as it is known. */
export type CreationPlace = Pick<PodRecord, "cgroupParent" | "runtimeHandler">;

/**
 * Undoes the creation of a container of which nothing but the id and perhaps the pod is known. Idempotent; tries every step. When one
 * fails the store's record stays, and the Fault names the step: whoever comes next goes on from there.
 */
export async function undoCreation(deps: ContainerDeps, id: string, pod: CreationPlace | undefined): Promise<void> {
  await everyStep(`undoing the creation of container ${id}`, [
    // A monitor that outlived the daemon in the middle of a creation goes on creating.
    ["ending its creation", () => endCreation(id)],
    ["deleting it in the runtime", () => deleteInRuntimes(deps, id, pod)],
    ["removing its exit file", () => removeExitFiles(deps.options.exitsDir, id)],
    ["removing its attach link", () => rm(join(deps.options.attachDir, id), { force: true })],
    ["removing its cgroups", () => removeCgroups(deps, id, pod)],
    ["giving back its image volumes", () => deps.imageMounts.release({ id, runDir: deps.store.containerRunDir(id) })],
  ]);
  await deps.store.deleteContainer(id);
  deps.names.releaseAll(id);
}

/** In that of the pod; in all of them where nobody knows which it was, and there it is no failure when one cannot be asked. */
async function deleteInRuntimes(deps: ContainerDeps, id: string, pod: CreationPlace | undefined): Promise<void> {
  const all = deps.handlers.list();
  const name = pod?.runtimeHandler === "" ? deps.handlers.defaultName : pod?.runtimeHandler;
  const own = all.find((handler) => handler.name === name);
  if (own !== undefined) {
    await deleteInRuntime(own, id);
    return;
  }
  for (const handler of all) {
    try {
      await deleteInRuntime(handler, id);
    } catch (error) {
      deps.log.warn("deleting the remains of a creation in the runtime failed", {
        containerID: id,
        handler: handler.name,
        error: reasonOf(error),
      });
    }
  }
}

async function removeCgroups(deps: ContainerDeps, id: string, pod: CreationPlace | undefined): Promise<void> {
  if (pod === undefined) return;
  const cgroup = deps.cgroups.containerCgroup(pod.cgroupParent, id);
  await deps.cgroups.removeMonitorCgroup({ containerId: id, parent: pod.cgroupParent });
  await deps.cgroups.killAll(cgroup);
  await deps.cgroups.removeTree(cgroup);
}
