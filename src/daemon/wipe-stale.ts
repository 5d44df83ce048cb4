import { Places, reasonOf } from "../base/index.ts";
import { type PodDeps, removePod } from "../pods/index.ts";
import type { LastEnd } from "./shutdown-files.ts";

const removeTimeoutMs = 10_000;
/** A network plugin may wait for an agent that is not there yet: the others go on. */
const removedAtOnce = 16;

/**
 * Removes pods and containers after a reboot or an upgrade, and after an upgrade their images too (reference: ondisk.md 4). Only where a
 * version is kept on disk: without `remembersUpgrades` nothing is removed.
 */
export async function wipeStale(deps: PodDeps, lastEnd: LastEnd, remembersUpgrades: boolean): Promise<void> {
  const { containersAreStale, imagesAreStale } = lastEnd;
  if (!remembersUpgrades || !(containersAreStale || imagesAreStale)) return;
  deps.log.info("wiping what is from before", {
    why: imagesAreStale ? "another version ran last" : "the node was booted",
  });
  await wipePods(deps, { images: imagesAreStale });
}

/** Removes every pod with all it holds, and with `images` those that its containers were made of. What cannot be removed is logged, and stays. */
export async function wipePods(deps: PodDeps, { images }: { readonly images: boolean }): Promise<void> {
  const { log, store } = deps;
  const used = new Set(deps.containers.list().map(({ record }) => record.image.id));
  const places = new Places(removedAtOnce);
  await Promise.all(
    deps.pods.list().map(async (pod) => {
      const { record } = pod;
      const giveBack = await places.take();
      try {
        await removePod(deps, pod, { timeoutMs: removeTimeoutMs });
        log.info("wiped pod", { pod: record.id, name: record.name });
      } catch (error) {
        log.error("a pod from before cannot be wiped", { pod: record.id, error: reasonOf(error) });
      } finally {
        giveBack();
      }
    }),
  );
  if (!images) return;
  for (const id of used) {
    try {
      await store.removeImage(id);
      log.info("wiped image", { image: id });
    } catch (error) {
      log.error("an image from before cannot be wiped", { image: id, error: reasonOf(error) });
    }
  }
}
