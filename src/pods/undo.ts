import { access } from "node:fs/promises";
import { reasonOf } from "../base/index.ts";
import { everyStep, undoCreation } from "../containers/index.ts";
import { unpinNamespace } from "../host/index.ts";
import { type PodRecord, podMetadataFrom, type StorageMetadata } from "../state/index.ts";
import type { PodDeps } from "./deps.ts";
import { releaseShm } from "./files.ts";
import { namespacePins, type Pins } from "./namespaces.ts";
import { networkIdentity } from "./network.ts";

/** A pod whose creation was cut off by the daemon's end. */
export interface UnfinishedPod {
  readonly id: string;
  /** Of the store's record: it is there from the start. */
  readonly metadata: StorageMetadata;
  /** From config.json, which is written before any process is started; undefined while there is none. */
  readonly record: PodRecord | undefined;
}

const detachTimeoutMs = 60_000;

/**
 * Gives back what a pod's creation had acquired, and then its record; the names of all of it derive from the id. Idempotent; tries every
 * step. When one fails the record stays, and the Fault names the step.
 */
export async function undoPodCreation(deps: PodDeps, pod: UnfinishedPod): Promise<void> {
  const { id, record } = pod;
  const pins = namespacePins(deps.options.namespacesDir, id);
  await everyStep(`undoing the creation of pod ${id}`, [
    ["its network", () => undoNetwork(deps, pod, pins)],
    ["its namespaces", () => Promise.all(Object.values(pins).map(unpinNamespace))],
    ["/dev/shm", () => releaseShm(deps.store.containerRunDir(id))],
  ]);
  if (record !== undefined) await deps.cgroups.removeInfraCgroup(record.cgroupParent, id);
  await undoCreation(deps, id, record);
}

/** Plugins may still be at work for a daemon that is no more. */
async function undoNetwork(deps: PodDeps, { id, metadata, record }: UnfinishedPod, pins: Pins): Promise<void> {
  if (record?.hostNetwork) return;
  await deps.networks.endPlugins({ id });
  const identity = networkIdentity({
    id,
    metadata: podMetadataFrom(metadata),
    namespaces: pins,
    cgroupParent: record?.cgroupParent ?? "",
    annotations: record?.annotations ?? {},
  });
  try {
    await deps.networks.detach(identity, { signal: AbortSignal.timeout(detachTimeoutMs) });
  } catch (error) {
    if (await isThere(pins.net)) throw error;
    // It was never attached, or the machine was started anew: what addresses are left, the collection of garbage gives back.
    deps.log.warn("the network of a pod without a namespace is not given back", { pod: id, error: reasonOf(error) });
  }
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
