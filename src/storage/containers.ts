import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Fault, Undo } from "../base/index.ts";
import type { DiskUsage } from "../host/index.ts";
import { LayerTrash } from "./layer-trash.ts";
import { detachMountsBelow } from "./overlay/detach-mounts.ts";
import { checkStoreId, type StorePaths } from "./paths.ts";
import type { IdMap } from "./records/common-fields.ts";
import { newContainerRecord, parseContainer, type StoredContainer } from "./records/container-record.ts";
import { type JsonRecord, withValues } from "./records/json-records.ts";
import { markComplete, newLayerRecord } from "./records/layer-record.ts";
import type { RecordView } from "./records/snapshot.ts";
import { type StoreParts, volatileFile } from "./store-parts.ts";

export interface NewContainerOptions {
  readonly id: string;
  /** Of which no other container may have one. The first gives the layer its name. */
  readonly names: readonly string[];
  /** Without one, the root file system begins empty. */
  readonly imageId?: string;
  readonly metadata: string;
  /** SELinux labels: both or none. */
  readonly processLabel?: string;
  readonly mountLabel?: string;
  readonly mountOptions?: readonly string[];
  /** Carried in the records; mounting with mapped owners is not done here yet. */
  readonly mappings?: { readonly uids: readonly IdMap[]; readonly gids: readonly IdMap[] };
}

/** What a container keeps until it is removed. */
export function containerDir(paths: StorePaths, id: string): string {
  return join(paths.containersDir, checkStoreId(id), "userdata");
}

/** What a container keeps until the next boot. */
export function containerRunDir(paths: StorePaths, id: string): string {
  return join(paths.containersRunDir, checkStoreId(id), "userdata");
}

/** Derived from the container's id, so that the layer of a container whose creation was cut off can be found and removed. */
function writableLayerId(containerId: string): string {
  return createHash("sha256").update(`writable layer of ${containerId}`).digest("hex");
}

/** See `Store.createContainer`. */
export async function createContainer(parts: StoreParts, options: NewContainerOptions): Promise<StoredContainer> {
  const { id, names, imageId } = options;
  checkStoreId(id);
  const parent = imageId === undefined ? undefined : await topLayerOf(parts, imageId);
  await parts.containers.read((containers) => refuseTaken(containers, id, names));
  const undo = new Undo();
  try {
    // The directory first: should we be killed before there is a record, it tells the next start whose layer to remove.
    undo.add("the container's directories", () => removeDirectories(parts, id));
    await mkdir(containerDir(parts.paths, id), { recursive: true, mode: 0o700 });
    await mkdir(containerRunDir(parts.paths, id), { recursive: true, mode: 0o700 });
    const layerId = writableLayerId(id);
    undo.add("the container's layer", () => removeLayer(parts, layerId));
    await createWritableLayer(parts, layerId, parent, options);
    return await recordContainer(parts, layerId, options);
  } catch (error) {
    await undo.run().catch((undoError) => {
      parts.log.warn("a container that could not be created left something behind", { id, why: undoError.message });
    });
    throw error;
  }
}

async function topLayerOf(parts: StoreParts, imageId: string): Promise<string | undefined> {
  const image = await parts.images.read((images) => images.get(imageId));
  if (image === undefined) throw new Fault("not-found", `no image ${imageId} in the store`);
  return image.layer;
}

function refuseTaken(containers: RecordView<StoredContainer>, id: string, names: readonly string[]): void {
  if (containers.get(id) !== undefined) throw new Fault("exists", `container ${id} is in the store already`);
  for (const name of names) {
    const owner = containers.named(name);
    if (owner !== undefined)
      throw new Fault("exists", `the container name ${JSON.stringify(name)} is in use by ${owner.id}`);
  }
}

async function createWritableLayer(
  parts: StoreParts,
  layerId: string,
  parent: string | undefined,
  options: NewContainerOptions,
): Promise<void> {
  const trash = new LayerTrash(parts);
  const [name] = options.names;
  const layerName = name === undefined ? undefined : `${name}-layer`;
  try {
    await parts.layers.write(async (draft) => {
      if (parent !== undefined && draft.get(parent)?.incomplete !== false) {
        throw new Fault("not-found", `layer ${parent} of image ${options.imageId} is not in the store; pull it again`);
      }
      await trash.discard(draft, layerId); // of a creation that was cut off
      if (await parts.driver.exists(layerId)) await trash.discardFiles(layerId);
      // The name is for people; a layer of another tool may have it.
      const names = layerName === undefined || draft.named(layerName) !== undefined ? [] : [layerName];
      const { mountLabel, mappings } = options;
      const createdNs = parts.clock.nowNs();
      const { uids: uidMaps, gids: gidMaps } = mappings ?? {};
      draft.put(newLayerRecord({ id: layerId, names, parent, mountLabel, createdNs, uidMaps, gidMaps }), volatileFile);
      await draft.save();
      await parts.driver.create(layerId, parent);
      draft.put(markComplete(draft.record(layerId)));
      await draft.save();
    });
  } finally {
    await trash.empty();
  }
}

async function recordContainer(
  parts: StoreParts,
  layerId: string,
  options: NewContainerOptions,
): Promise<StoredContainer> {
  const { id, names, imageId, metadata, processLabel = "", mountLabel = "", mountOptions = [], mappings } = options;
  return parts.containers.write(async (draft) => {
    refuseTaken(draft, id, names);
    const record = newContainerRecord({
      id,
      names,
      imageId,
      layerId,
      metadata,
      createdNs: parts.clock.nowNs(),
      processLabel,
      mountLabel,
      mountOptions,
      uidMaps: mappings?.uids,
      gidMaps: mappings?.gids,
    });
    draft.put(record, volatileFile);
    await draft.save();
    return parseContainer(record);
  });
}

/** See `Store.setContainerMetadata`. */
export async function setContainerMetadata(parts: StoreParts, id: string, metadata: string): Promise<void> {
  await parts.containers.write(async (draft) => {
    draft.put(withValues(draft.record(id), { metadata } satisfies JsonRecord));
    await draft.save();
  });
}

/** See `Store.mountContainer`. */
export async function mountContainer(parts: StoreParts, id: string): Promise<string> {
  const container = await containerOf(parts, id);
  if (container.uidMaps.length > 0 || container.gidMaps.length > 0) {
    throw new Fault(
      "unimplemented",
      `container ${id} has a user namespace: mounting with mapped owners is not supported`,
    );
  }
  const { layerId } = container;
  return parts.layers.read((layers) => {
    const layer = layers.get(layerId);
    if (layer === undefined)
      throw new Fault("corrupt", `the layer ${layerId} of container ${id} is missing in the store`);
    return parts.mounts.write(async (draft) => {
      const path = parts.driver.mountPoint(layerId);
      const isMounted = await parts.driver.isMounted(layerId);
      // A count without a mount is from before a crash or a reboot.
      const count = isMounted ? (draft.get(layerId)?.count ?? 0) : 0;
      if (!isMounted) {
        const { mountOptions, volatile } = container;
        const label = container.mountLabel === "" ? layer.mountLabel : container.mountLabel;
        await parts.driver.mount(layerId, { label, mountOptions, volatile });
      }
      draft.set({ id: layerId, path, count: count + 1 });
      try {
        await draft.save();
      } catch (error) {
        if (!isMounted) await parts.driver.unmount(layerId); // a full disk: nobody would know of the mount
        throw error;
      }
      return path;
    });
  });
}

export interface UnmountOptions {
  /** Only give back one mount of ours: it stays mounted while others count on it. */
  readonly countDown?: boolean;
}

/** See `Store.unmountContainer`. */
export async function unmountContainer(
  parts: StoreParts,
  id: string,
  { countDown = false }: UnmountOptions = {},
): Promise<void> {
  const container = await parts.containers.read((containers) => containers.get(id));
  if (container === undefined) return;
  const { layerId } = container;
  await parts.layers.read(() =>
    parts.mounts.write(async (draft) => {
      const mount = draft.get(layerId);
      const isMounted = await parts.driver.isMounted(layerId);
      if (mount === undefined && !isMounted) return;
      const left = countDown && isMounted ? (mount?.count ?? 1) - 1 : 0;
      if (left <= 0 && isMounted) await parts.driver.unmount(layerId);
      if (mount === undefined && left <= 0) return;
      draft.set({ id: layerId, path: parts.driver.mountPoint(layerId), count: Math.max(0, left) });
      await draft.save();
    }),
  );
}

/** See `Store.deleteContainer`. */
export async function deleteContainer(parts: StoreParts, id: string): Promise<void> {
  checkStoreId(id);
  const container = await parts.containers.read((containers) => containers.get(id));
  const layers = new Set([container?.layerId ?? "", writableLayerId(id)]);
  layers.delete("");
  for (const layerId of layers) await removeLayer(parts, layerId);
  await removeDirectories(parts, id);
  await parts.containers.write(async (draft) => {
    if (draft.get(id) === undefined) return;
    draft.remove(id);
    await draft.save();
  });
}

async function removeLayer(parts: StoreParts, layerId: string): Promise<void> {
  if ((await parts.layers.read((layers) => layers.get(layerId))) === undefined) return;
  const trash = new LayerTrash(parts);
  try {
    await parts.layers.write((draft) => trash.discard(draft, layerId));
  } finally {
    await trash.empty();
  }
}

async function removeDirectories({ paths, workers }: StoreParts, id: string): Promise<void> {
  const directories = [join(paths.containersRunDir, id), join(paths.containersDir, id)];
  await detachMountsBelow(...directories);
  for (const directory of directories) await workers.remove(directory);
}

/** See `Store.containerUsage`. */
export async function containerUsage(parts: StoreParts, id: string, signal?: AbortSignal): Promise<DiskUsage> {
  const { layerId } = await containerOf(parts, id);
  return parts.meter.measure(parts.driver.diffDirectory(layerId), signal === undefined ? {} : { signal });
}

async function containerOf(parts: StoreParts, id: string): Promise<StoredContainer> {
  const container = await parts.containers.read((containers) => containers.get(id));
  if (container === undefined) throw new Fault("not-found", `no container ${id} in the store`);
  return container;
}
