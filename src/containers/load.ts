import { isFault, reasonOf } from "../base/index.ts";
import { isSameProcess } from "../host/index.ts";
import { ociVersion } from "../oci/index.ts";
import { forgetExit, stateInRuntime } from "../runtime/index.ts";
import {
  type Container,
  containerRecordFrom,
  damagedContainerRecord,
  isCrioSpec,
  isLive,
  readSpec,
  readState,
  type StorageMetadata,
  writeState,
} from "../state/index.ts";
import type { ContainerDeps } from "./deps.ts";
import { endOf } from "./note-exit.ts";
import { releaseContainer } from "./release.ts";
import { undoCreation } from "./undo-creation.ts";

/** What became of one of the store's containers at start-up. */
export type Loaded =
  | { readonly is: "loaded"; readonly container: Container }
  /** The remains of a creation that was cut off, or of one whose pod is gone: given back. */
  | { readonly is: "undone"; readonly why: string }
  /** Somebody else's (podman's). */
  | { readonly is: "foreign" };

/**
 * Takes up a container that the store has: reads what it is from config.json and how it stands from state.json, asks /proc and the
 * exit file what happened meanwhile, and notes that. A creation that was never finished is undone. One whose files are damaged is
 * *unknown*, and can be removed. Rejects with what else goes wrong; the container is not listed then.
 */
export async function loadContainer(deps: ContainerDeps, id: string, metadata: StorageMetadata): Promise<Loaded> {
  try {
    return await loadWhole(deps, id, metadata);
  } catch (error) {
    if (!isFault(error, "corrupt", "invalid", "exhausted")) throw error;
    return takeUpDamaged(deps, { id, metadata }, error);
  }
}

async function loadWhole(deps: ContainerDeps, id: string, metadata: StorageMetadata): Promise<Loaded> {
  const dir = deps.store.containerDir(id);
  const runDir = deps.store.containerRunDir(id);
  const spec = await readSpec({ dir, runDir });
  if (spec !== undefined && !isCrioSpec(spec)) return { is: "foreign" };
  const stored = spec === undefined ? undefined : await readState(dir);
  if (spec === undefined || stored === undefined) {
    await undoCreation(deps, id, deps.pods.get(metadata.podId)?.record);
    return { is: "undone", why: "its creation had not been finished" };
  }
  const runtimeHandler = deps.pods.get(metadata.podId)?.record.runtimeHandler ?? "";
  const record = containerRecordFrom(id, spec, { dir, runDir, runtimeHandler, privileged: metadata.privileged });
  const container: Container = { record, spec, ...stored };
  if (deps.pods.get(record.podId) === undefined) {
    await releaseContainer(deps, container);
    return { is: "undone", why: `its pod ${record.podId} is gone` };
  }
  const current = await caughtUp(deps, container);
  deps.names.reserve(record.name, id);
  deps.containers.put(current);
  return { is: "loaded", container: current };
}

/** A container of which no more is known than the store's record says. */
function takeUpDamaged(
  deps: ContainerDeps,
  { id, metadata }: { readonly id: string; readonly metadata: StorageMetadata },
  error: unknown,
): Loaded {
  const why = `what is written down of it is damaged: ${reasonOf(error)}`;
  deps.log.error("a container cannot be taken up; it is listed as unknown, to be removed", { containerID: id, why });
  const record = damagedContainerRecord(id, metadata, {
    dir: deps.store.containerDir(id),
    runDir: deps.store.containerRunDir(id),
    runtimeHandler: deps.pods.get(metadata.podId)?.record.runtimeHandler ?? "",
  });
  const container: Container = { record, spec: { ociVersion }, state: { is: "unknown", startedAtNs: 0n, why } };
  deps.names.reserve(record.name, id);
  deps.containers.put(container);
  return { is: "loaded", container };
}

/** The container with what happened while nobody watched. A pod's infra container is caught up the same way. */
export async function caughtUp(deps: ContainerDeps, container: Container): Promise<Container> {
  const { record, init } = container;
  const now = init === undefined ? container : { ...container, state: await stateNow(deps, container) };
  if (!isLive(now)) {
    await forgetExit(deps.options.exitsDir, record.id);
    await deps.store.unmountContainer(record.id);
  }
  if (now.state !== container.state) await writeState(now);
  return now;
}

async function stateNow(deps: ContainerDeps, container: Container): Promise<Container["state"]> {
  const { init, state } = container;
  if (!isLive(container) || init === undefined) {
    // Written as ended without an exit code: perhaps the exit file says more.
    return state.is === "unknown" ? ((await endOf(container, deps.clock.nowNs())) ?? state) : state;
  }
  if (await isSameProcess(init.pid, init.startTime)) {
    return state.is === "created" ? await createdOrStarted(deps, container) : state;
  }
  return (await endOf(container, deps.clock.nowNs())) ?? state;
}

/** Between the runtime's start and the writing down of it lies a moment in which the daemon may have been killed. */
async function createdOrStarted(deps: ContainerDeps, { record, state }: Container): Promise<Container["state"]> {
  const found = await stateInRuntime(deps.handlers.get(record.runtimeHandler), record.id);
  if (found?.status !== "running" && found?.status !== "paused") return state;
  return { is: "running", startedAtNs: deps.clock.nowNs(), paused: found.status === "paused" };
}
