import { isFault, reasonOf } from "../base/index.ts";
import { readMountTable, removeUnfinishedWrites } from "../host/index.ts";
import { deleteContainer, unrecordedContainers } from "./containers.ts";
import { LayerTrash } from "./layer-trash.ts";
import { layerRecordTempDirs, type StoreParts } from "./store-parts.ts";
import { removeStaleTempDirs } from "./temp-dir.ts";

/**
 * Sets right what crashes have left: files that were being written, temporary directories nobody uses, layers that were being
 * made or removed, counts of mounts that are no more. Under the lock of the whole store.
 */
export async function recoverStore(parts: StoreParts): Promise<void> {
  const { driver, paths, workers, log } = parts;
  const remove = (directory: string) => workers.remove(directory);
  await removeUnfinishedWrites(
    paths.layersDir,
    paths.imagesDir,
    paths.containersDir,
    paths.mountsDir,
    paths.driverHome,
  );
  // Whoever opens a store wants to know at once that its records cannot be read; those of layers and containers are read below.
  await parts.images.read(() => {});
  await removeStaleTempDirs(driver.tempDirs, remove, log);
  await removeStaleTempDirs(layerRecordTempDirs(paths), remove, log);
  await removeIncompleteLayers(parts);
  await forgetStaleMounts(parts);
  await removeUnrecordedContainers(parts);
}

/** A container's directory is made before everything else of it and removed last: it leads to what else there is. */
async function removeUnrecordedContainers(parts: StoreParts): Promise<void> {
  for (const id of await unrecordedContainers(parts)) {
    try {
      await deleteContainer(parts, id);
      parts.log.info("removed what was left of a container without a record", { container: id });
    } catch (error) {
      parts.log.error("what was left of a container without a record cannot be removed", {
        container: id,
        why: reasonOf(error),
      });
    }
  }
}

/** Topmost first, since a layer that others stand on stays. */
async function removeIncompleteLayers(parts: StoreParts): Promise<void> {
  const { layers, log } = parts;
  const incomplete = await layers.read(({ all }) => all.filter((layer) => layer.incomplete).map(({ id }) => id));
  if (incomplete.length === 0) return;
  const trash = new LayerTrash(parts);
  try {
    await layers.write(async (draft) => {
      const left = new Set(incomplete.filter((id) => draft.get(id)?.incomplete === true));
      for (let removed = true; removed; ) {
        removed = false;
        for (const id of left) {
          if (draft.all.some(({ parent }) => parent === id)) continue;
          await trash.discard(draft, id);
          log.info("removed a layer that was being made or removed when its program ended", { layer: id });
          left.delete(id);
          removed = true;
        }
      }
      for (const id of left) log.warn("an incomplete layer stays, since others stand on it", { layer: id });
    });
  } catch (error) {
    if (!isFault(error)) throw error;
    log.error("incomplete layers of the store cannot be removed", { why: reasonOf(error) });
  } finally {
    await trash.empty();
  }
}

async function forgetStaleMounts({ layers, mounts, log }: StoreParts): Promise<void> {
  await layers.read(() =>
    mounts.write(async (draft) => {
      if (draft.all.length === 0) return;
      const mounted = new Set((await readMountTable()).map(({ mountPoint }) => mountPoint));
      const stale = draft.all.filter(({ path }) => !mounted.has(path));
      if (stale.length === 0) return;
      for (const mount of stale) draft.set({ ...mount, count: 0 });
      await draft.save();
      log.info("forgot mounts that are no more", { count: stale.length });
    }),
  );
}
