import { rm } from "node:fs/promises";
import { join } from "node:path";
import { Fault, reasonOf } from "../base/index.ts";
import { isSameProcess, sendSignal } from "../host/index.ts";
import { deleteInRuntime, endCreation, type KnownProcess, removeExitFiles } from "../runtime/index.ts";
import type { Container, ContainerRecord } from "../state/index.ts";
import type { ContainerDeps } from "./deps.ts";

type ReleaseDeps = Pick<
  ContainerDeps,
  | "containers"
  | "names"
  | "events"
  | "store"
  | "imageMounts"
  | "cgroups"
  | "handlers"
  | "options"
  | "clock"
  | "log"
  | "pods"
>;

/** How long a monitor may take to end by itself once its container is gone. */
const monitorPatienceMs = 2_000;
const pollMs = 10;

/**
 * Gives back everything a container holds, and then its record: the process and what the runtime keeps of it, its monitor,
 * exit file, attach link, cgroups, image volumes, root file system and name. Idempotent; tries every step whatever the others say. When
 * one fails the record stays, and the Fault names the step: the next removal tries again.
 */
export async function releaseContainer(deps: ReleaseDeps, container: Container): Promise<void> {
  const { record } = container;
  const parent = deps.pods.get(record.podId)?.record.cgroupParent ?? "";
  await releaseProcesses(deps, container, parent);
  await deps.imageMounts.release(record);
  // Last: the store's record is what a removal after a restart would go by.
  await deps.store.deleteContainer(record.id);
  deps.names.release(record.name, record.id);
  if (deps.containers.get(record.id) === undefined) return;
  deps.containers.remove(record.id);
  deps.events.publish({ type: "deleted", containerId: record.id, podId: record.podId, atNs: deps.clock.nowNs() });
}

/** A container as far as its processes go; without a monitor, its creation may not have come to its end. */
export interface ProcessHolder {
  readonly record: Pick<ContainerRecord, "id" | "runtimeHandler">;
  readonly monitor?: KnownProcess;
}

/**
 * Gives back all that a container's processes hold: what the runtime keeps, the monitor, the exit file, the attach link and the
 * cgroups below `parent`, which a runtime that failed half-way leaves. A creation that failed, or was cut off by the daemon's end, is
 * given back by it too. Idempotent; tries every step, and rejects with one Fault that names those that failed.
 */
export async function releaseProcesses(
  deps: Pick<ReleaseDeps, "handlers" | "options" | "cgroups">,
  { record, monitor }: ProcessHolder,
  parent: string,
): Promise<void> {
  const { id } = record;
  const cgroup = deps.cgroups.containerCgroup(parent, id);
  await everyStep(`removing container ${id}`, [
    // Before the runtime is asked: a monitor that goes on creating would bring back what is deleted.
    ["ending its creation", () => (monitor === undefined ? endCreation(id) : undefined)],
    ["deleting it in the runtime", () => deleteInRuntime(deps.handlers.get(record.runtimeHandler), id)],
    ["ending its monitor", () => releaseMonitor(monitor)],
    ["removing its exit file", () => removeExitFiles(deps.options.exitsDir, id)],
    ["removing its attach link", () => rm(join(deps.options.attachDir, id), { force: true })],
    ["removing its monitor's cgroup", () => deps.cgroups.removeMonitorCgroup({ containerId: id, parent })],
    ["killing what is left of its processes", () => deps.cgroups.killAll(cgroup)],
    ["removing its cgroup", () => deps.cgroups.removeTree(cgroup)],
  ]);
}

/** Runs every step in turn; rejects with one Fault that names those that failed. */
export async function everyStep(
  what: string,
  steps: readonly (readonly [name: string, run: () => Promise<unknown> | unknown])[],
): Promise<void> {
  const failures: string[] = [];
  let cause: unknown;
  for (const [name, run] of steps) {
    try {
      await run();
    } catch (error) {
      failures.push(`${name}: ${reasonOf(error)}`);
      cause ??= error;
    }
  }
  if (failures.length > 0) throw new Fault("failed", `${what}: ${failures.join("; ")}`, { cause });
}

/** Waits a moment for a monitor whose container is gone to end by itself, then kills it. Idempotent. */
async function releaseMonitor(monitor: KnownProcess | undefined): Promise<void> {
  if (monitor === undefined) return;
  const until = performance.now() + monitorPatienceMs;
  while (await isSameProcess(monitor.pid, monitor.startTime)) {
    if (performance.now() > until) {
      sendSignal(monitor.pid, 9);
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}
