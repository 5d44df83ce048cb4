import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { reasonOf } from "../base/index.ts";
import { sendSignal } from "../host/index.ts";
import { deleteInRuntime, forgetExit } from "../runtime/index.ts";
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
    ["killing its monitor", () => killMonitor(id, deps.store.containerRunDir(id))],
    ["deleting it in the runtime", () => deleteInRuntimes(deps, id, pod)],
    ["removing its exit file", () => forgetExit(deps.options.exitsDir, id)],
    ["removing its attach link", () => rm(join(deps.options.attachDir, id), { force: true })],
    ["removing its cgroups", () => removeCgroups(deps, id, pod)],
  ]);
  await deps.store.deleteContainer(id);
  deps.names.releaseAll(id);
}

/** A monitor that outlived the daemon in the middle of a creation would go on creating. */
async function killMonitor(id: string, runDir: string): Promise<void> {
  const text = await readFile(join(runDir, "conmon-pidfile"), "utf8").catch(() => "");
  const pid = /^\d{1,10}$/.test(text.trim()) ? Number(text) : 0;
  if (pid <= 1) return;
  const commandLine = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  if (commandLine.split("\0").includes(id)) sendSignal(pid, 9);
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
