import { reasonOf } from "../base/index.ts";
import { removeContainer } from "../containers/index.ts";
import { type PodDeps, removePod } from "../pods/index.ts";
import { isLive } from "../state/index.ts";
import { type CheckOptions, isSound } from "../storage/index.ts";

/** What can be seen without reading layers back: a node starts within seconds, however many images it has. */
const check: CheckOptions = { depth: "structure", unusedForMs: 24 * 3600 * 1000 };
const removeTimeoutMs = 10_000;

/**
 * Checks the store after an end that was no clean one, and removes what is damaged: pods and containers that do not run, with all they
 * hold, and images. What runs stays, and so does what is not ours. What stays damaged is told, never a reason not to start.
 */
export async function repairStore(deps: PodDeps): Promise<void> {
  const { store, log } = deps;
  const found = await store.check(check);
  if (isSound(found)) {
    log.info("the storage directory is sound");
    return;
  }
  for (const [id, problems] of found.containers) log.warn("a container is damaged", { id, why: problems.join("; ") });
  await removeDamaged(deps, [...found.containers.keys()], { live: false });
  for (const [id, problems] of found.images) log.warn("an image is damaged", { id, why: problems.join("; ") });
  for (const [id, problems] of found.layers) log.warn("a layer is damaged", { id, why: problems.join("; ") });
  const { removed, left } = await store.repair(await store.check(check), { ...check, removesContainer: () => false });
  for (const { kind, id, why } of left) {
    log.error(`a damaged ${kind} stays in the storage directory; "crio check --repair --force" removes it`, {
      id,
      why,
    });
  }
  log.info("repaired the storage directory", {
    images: removed.image.length,
    layers: removed.layer.length,
    left: left.length,
  });
}

/** Removes pods and containers with all they hold; with `live`, also those that run. What cannot be removed is logged, and stays. */
export async function removeDamaged(
  deps: PodDeps,
  ids: readonly string[],
  { live }: { readonly live: boolean },
): Promise<void> {
  for (const id of ids) {
    try {
      await removeOne(deps, id, live);
    } catch (error) {
      deps.log.error("a damaged container cannot be removed", { id, error: reasonOf(error) });
    }
  }
}

async function removeOne(deps: PodDeps, id: string, live: boolean): Promise<void> {
  const [pod, container] = [deps.pods.get(id), deps.containers.get(id)];
  const options = { timeoutMs: removeTimeoutMs };
  if (pod !== undefined && (live || pod.stopped)) await removePod(deps, pod, options);
  if (container !== undefined && (live || !isLive(container))) await removeContainer(deps, container, options);
}
