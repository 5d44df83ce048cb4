import { rm } from "node:fs/promises";
import { join } from "node:path";
import { Fault, reasonOf } from "../base/index.ts";
import { isSameProcess, sendSignal } from "../host/index.ts";
import { deleteInRuntime, forgetExit, type KnownProcess } from "../runtime/index.ts";
import type { Container, ContainerRecord } from "../state/index.ts";
import type { ContainerDeps } from "./deps.ts";

type ReleaseDeps = Pick<
  ContainerDeps,
  "containers" | "names" | "events" | "store" | "cgroups" | "handlers" | "options" | "clock" | "log" | "pods"
>;

/** How long a monitor may take to end by itself once its container is gone. */
const monitorPatienceMs = 2_000;
const pollMs = 10;

/**
 * Gives back everything a container holds, and then its record: the process and what the runtime keeps of it, its monitor,
 * exit file, attach link, cgroups, root file system and name. Idempotent; tries every step whatever the others say. When
 * one fails the record stays, and the Fault names the step: the next removal tries again.
 */
export async function releaseContainer(deps: ReleaseDeps, container: Container): Promise<void> {
  const { record } = container;
  await everyStep(`removing container ${record.id}`, [
    ["deleting it in the runtime", () => releaseFromRuntime(deps, record)],
    ["ending its monitor", () => releaseMonitor(container.monitor)],
    ["removing its exit file", () => forgetExit(deps.options.exitsDir, record.id)],
    ["removing its attach link", () => rm(join(deps.options.attachDir, record.id), { force: true })],
    [
      "removing its monitor's cgroup",
      () => deps.cgroups.removeMonitorCgroup({ containerId: record.id, parent: parentOf(deps, record) }),
    ],
  ]);
  // Last: the store's record is what a removal after a restart would go by.
  await deps.store.deleteContainer(record.id);
  deps.names.release(record.name, record.id);
  if (deps.containers.get(record.id) === undefined) return;
  deps.containers.remove(record.id);
  deps.events.publish({ type: "deleted", containerId: record.id, podId: record.podId, atNs: deps.clock.nowNs() });
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

/** Removes what the runtime keeps of a container, killing what is left of it. Idempotent. */
export async function releaseFromRuntime(deps: Pick<ReleaseDeps, "handlers">, record: ContainerRecord): Promise<void> {
  await deleteInRuntime(deps.handlers.get(record.runtimeHandler), record.id);
}

/** Waits a moment for a monitor whose container is gone to end by itself, then kills it. Idempotent. */
export async function releaseMonitor(monitor: KnownProcess | undefined): Promise<void> {
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

function parentOf(deps: ReleaseDeps, record: ContainerRecord): string {
  return deps.pods.get(record.podId)?.record.cgroupParent ?? "";
}
