import { untilAborted } from "../base/index.ts";
import { removeContainer, undoCreation } from "../containers/index.ts";
import { type Pod, parseStorageMetadata, writeMarker } from "../state/index.ts";
import type { PodDeps } from "./deps.ts";
import { releasePod } from "./release.ts";
import { markStopped, stopContainersOf } from "./stop.ts";

/**
 * Removes a pod with its containers, stopping first whatever runs with `timeoutMs` of patience. Rejects when something it holds cannot
 * be given back; the pod is then NOTREADY and still listed, and the next removal goes on from there.
 */
export async function removePod(
  deps: PodDeps,
  pod: Pod,
  options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
): Promise<void> {
  const { id } = pod.record;
  await untilAborted(
    deps.podLocks.with(id, () => removeUnderLock(deps, id, options.timeoutMs)),
    options.signal,
  );
}

async function removeUnderLock(deps: PodDeps, id: string, timeoutMs: number): Promise<void> {
  const pod = deps.pods.get(id);
  if (pod === undefined) return;
  if (!pod.stopped) {
    await writeMarker(pod.record.dir, "stopping");
    await stopContainersOf(deps, id, timeoutMs);
  }
  for (const container of deps.containers.ofPod(id)) await removeContainer(deps, container, { timeoutMs });
  await markStopped(deps, id);
  await undoLeftovers(deps, id);
  await releasePod(deps, deps.pods.get(id) ?? pod);
}

/** Containers of the pod that the store has and nobody knows: creations that failed, and whose undoing failed too. */
async function undoLeftovers(deps: PodDeps, podId: string): Promise<void> {
  for (const { id, metadata } of await deps.store.containers()) {
    if (id === podId || parseStorageMetadata(metadata)?.podId !== podId) continue;
    await undoCreation(deps, id, deps.pods.get(podId)?.record);
  }
}
