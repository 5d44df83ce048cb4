import { createHash } from "node:crypto";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { Fault, Undo } from "../base/index.ts";
import type { DiskUsage } from "../host/index.ts";
import { mountCounted, type UnmountOptions, unmountCounted } from "./layer-mounts.ts";
import { LayerTrash } from "./layer-trash.ts";
import { detachMountsBelow } from "./overlay/detach-mounts.ts";
import type { LayerOwners } from "./overlay/mapped-layers.ts";
import { checkStoreId, type StorePaths } from "./paths.ts";
import { newContainerRecord, parseContainer, type StoredContainer } from "./records/container-record.ts";
import { type JsonRecord, withValues } from "./records/json-records.ts";
import { markComplete, newLayerRecord, type StoredLayer } from "./records/layer-record.ts";
import type { RecordDraft } from "./records/record-table.ts";
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
  /** Of its user namespace: what it writes belongs to these ids on disk. */
  readonly mappings?: LayerOwners;
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
    const layerId = writableLayerId(id);
    undo.add("the container's directories", () => removeDirectories(parts, id));
    undo.add("the container's layer", () => removeLayer(parts, layerId));
    // All under one lock, so that no other program that opens the store takes this creation for one that was cut off.
    return await writeLayers(parts, async (layers, trash) => {
      // The directory first: should we be killed before there is a record, it tells the next start whose layer to remove.
      await mkdir(containerDir(parts.paths, id), { recursive: true, mode: 0o700 });
      await mkdir(containerRunDir(parts.paths, id), { recursive: true, mode: 0o700 });
      await createWritableLayer({ parts, layers, trash }, layerId, parent, options);
      return await recordContainer(parts, layerId, options);
    });
  } catch (error) {
    await undo.run().catch((undoError) => {
      parts.log.warn("a container that could not be created left something behind", { id, why: undoError.message });
    });
    throw error;
  }
}

/**
 * The ids of containers that have a directory but no record. {@link createContainer} makes both under the lock that is held here, so
 * these are of creations and removals that were cut off.
 */
export async function unrecordedContainers(parts: StoreParts): Promise<readonly string[]> {
  return parts.layers.read(async () => {
    const names = await readdir(parts.paths.containersDir);
    const recorded = await parts.containers.read(
      ({ all, notUnderstood }) => new Set([...all.map(({ id }) => id), ...notUnderstood]),
    );
    return names.filter((name) => /^[0-9a-f]{64}$/.test(name) && !recorded.has(name));
  });
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

/** Changes the records of layers; what they discard is removed once the lock is free. */
async function writeLayers<T>(
  parts: StoreParts,
  work: (layers: RecordDraft<StoredLayer>, trash: LayerTrash) => Promise<T>,
): Promise<T> {
  const trash = new LayerTrash(parts);
  try {
    return await parts.layers.write((draft) => work(draft, trash));
  } finally {
    await trash.empty();
  }
}

interface LayerWriting {
  readonly parts: StoreParts;
  readonly layers: RecordDraft<StoredLayer>;
  readonly trash: LayerTrash;
}

async function createWritableLayer(
  { parts, layers, trash }: LayerWriting,
  layerId: string,
  parent: string | undefined,
  options: NewContainerOptions,
): Promise<void> {
  if (parent !== undefined && layers.get(parent)?.incomplete !== false) {
    throw new Fault("not-found", `layer ${parent} of image ${options.imageId} is not in the store; pull it again`);
  }
  await trash.discard(layers, layerId); // of a creation that was cut off
  if (await parts.driver.exists(layerId)) await trash.discardFiles(layerId);
  // The name is for people; a layer of another tool may have it.
  const [name] = options.names;
  const layerName = name === undefined ? undefined : `${name}-layer`;
  const names = layerName === undefined || layers.named(layerName) !== undefined ? [] : [layerName];
  const { mountLabel, mappings } = options;
  const createdNs = parts.clock.nowNs();
  const { uids: uidMaps, gids: gidMaps } = mappings ?? {};
  layers.put(newLayerRecord({ id: layerId, names, parent, mountLabel, createdNs, uidMaps, gidMaps }), volatileFile);
  await layers.save();
  await parts.driver.create(layerId, parent, mappings);
  layers.put(markComplete(layers.record(layerId)));
  await layers.save();
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

export interface MountOptions {
  /** Where the user namespace of a container with mappings is pinned. */
  readonly userNamespace?: string;
}

/** See `Store.mountContainer`. */
export async function mountContainer(parts: StoreParts, id: string, options: MountOptions = {}): Promise<string> {
  const container = await containerOf(parts, id);
  const { userNamespace } = options;
  if (container.uidMaps.length > 0 !== (userNamespace !== undefined)) {
    const why = userNamespace === undefined ? "has a user namespace, and none was given" : "has no user namespace";
    throw new Fault("precondition", `mounting container ${id}: it ${why}`);
  }
  const { layerId } = container;
  return parts.layers.read((layers) => {
    const layer = layers.get(layerId);
    if (layer === undefined)
      throw new Fault("corrupt", `the layer ${layerId} of container ${id} is missing in the store`);
    const { mountOptions, volatile } = container;
    const label = container.mountLabel === "" ? layer.mountLabel : container.mountLabel;
    return mountCounted(parts, layerId, () =>
      parts.driver.mount(layerId, { label, mountOptions, volatile, userNamespace }),
    );
  });
}

/** See `Store.unmountContainer`. */
export async function unmountContainer(parts: StoreParts, id: string, options: UnmountOptions = {}): Promise<void> {
  const container = await parts.containers.read((containers) => containers.get(id));
  if (container === undefined) return;
  await parts.layers.read(() => unmountCounted(parts, container.layerId, options));
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
  await writeLayers(parts, (layers, trash) => trash.discard(layers, layerId));
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
