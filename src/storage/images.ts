import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, Fault, isFault } from "../base/index.ts";
import { readBounded, writeFileAtomic } from "../host/index.ts";
import { digestOf } from "../oci/index.ts";
import { signaturesOf, withSignatures } from "./image-signatures.ts";
import { LayerTrash } from "./layer-trash.ts";
import { bigDataFileName, checkStoreId, isStoreId } from "./paths.ts";
import type { StoredContainer } from "./records/container-record.ts";
import {
  newImageRecord,
  parseImage,
  type StoredImage,
  withData,
  withNames,
  withSignatureSizes,
} from "./records/image-record.ts";
import { type JsonRecord, textsField, withValues } from "./records/json-records.ts";
import type { StoredLayer } from "./records/layer-record.ts";
import type { RecordDraft } from "./records/record-table.ts";
import type { RecordView } from "./records/snapshot.ts";
import type { StoreParts } from "./store-parts.ts";

export interface ImageData {
  /** `manifest`, `manifest-<digest>`, the config's digest, `signatures` … */
  readonly key: string;
  readonly bytes: Uint8Array;
}

export interface NewImageOptions {
  /** The hex digits of the config's digest. */
  readonly id: string;
  /** Full references. Other images lose these names. */
  readonly names: readonly string[];
  /** Of the manifest. */
  readonly digest?: string;
  /** The topmost layer, which must be in the store. */
  readonly layer?: string;
  /** Default: now. */
  readonly createdNs?: bigint;
  readonly data: readonly ImageData[];
  /** Of the manifest `digest`. They are added to those that are known of it. */
  readonly signatures?: readonly Uint8Array[];
}

const maxDataBytes = 64 * 2 ** 20;

/** See `Store.createImage`. */
export async function createImage(parts: StoreParts, options: NewImageOptions): Promise<StoredImage> {
  const { id, names, layer } = options;
  checkStoreId(id);
  return parts.layers.read((layers) =>
    parts.images.write(async (draft) => {
      const below = layer === undefined ? undefined : layers.get(layer);
      if (layer !== undefined && (below === undefined || below.incomplete)) {
        throw new Fault("not-found", `image ${id} cannot be recorded: its layer ${layer} is not in the store`);
      }
      const before = draft.get(id);
      if (before !== undefined && before.layer !== layer) {
        throw new Fault("exists", `image ${id} is in the store already, with other layers`);
      }
      const known = before === undefined ? new Map() : await knownSignatures(parts, before);
      const signed = withSignatures(known, options.digest, options.signatures ?? []);
      const data = [...options.data, ...signed.data];
      await writeData(parts, id, data);
      const createdNs = options.createdNs ?? parts.clock.nowNs();
      const fresh = () => newImageRecord({ id, digest: options.digest, layer, createdNs });
      const record = before === undefined ? fresh() : withDigest(draft.record(id), options.digest);
      const items = data.map(({ key, bytes }) => ({ key, size: bytes.length, digest: digestOf(bytes) }));
      draft.put(withSignatureSizes(withData(record, items), signed.sizes));
      giveNames(draft, id, [...names, ...(before?.names ?? [])]);
      await draft.save();
      return parseImage(draft.record(id));
    }),
  );
}

/** See `Store.imageSignatures`. */
export async function imageSignatures(parts: StoreParts, id: string): Promise<ReadonlyMap<string, readonly Buffer[]>> {
  return await parts.images.read(async (images) => {
    const image = images.get(id);
    return image === undefined ? new Map() : await signaturesOf(parts, image);
  });
}

/** Those that cannot be read are no reason to refuse the image, which is here with its signatures. */
async function knownSignatures(parts: StoreParts, image: StoredImage): Promise<ReadonlyMap<string, readonly Buffer[]>> {
  try {
    return await signaturesOf(parts, image);
  } catch (error) {
    if (!isFault(error, "corrupt")) throw error;
    parts.log.warn("the signatures of an image are damaged; they are written anew", {
      id: image.id,
      why: error.message,
    });
    return new Map();
  }
}

function withDigest(record: JsonRecord, digest: string | undefined): JsonRecord {
  return digest === undefined ? record : withValues(record, { digest });
}

async function writeData(parts: StoreParts, id: string, data: readonly ImageData[]): Promise<void> {
  const directory = join(parts.paths.imagesDir, id);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  for (const { key, bytes } of data) {
    if (bytes.length > maxDataBytes)
      throw new Fault("exhausted", `image data ${key} is larger than ${maxDataBytes} bytes`);
    await writeFileAtomic(join(directory, bigDataFileName(key)), bytes, { mode: 0o600, durable: true });
  }
}

/** Gives an image these names and no others; whoever had one of them loses it. */
function giveNames(draft: RecordDraft<StoredImage>, id: string, names: readonly string[]): void {
  for (const name of names) {
    const owner = draft.named(name);
    if (owner === undefined || owner.id === id) continue;
    const record = draft.record(owner.id);
    draft.put(
      withNames(
        record,
        textsField(record, "names").filter((other) => other !== name),
      ),
    );
  }
  draft.put(withNames(draft.record(id), names));
}

/** See `Store.setImageNames`. */
export async function setImageNames(parts: StoreParts, id: string, names: readonly string[]): Promise<void> {
  await parts.images.write(async (draft) => {
    giveNames(draft, id, names);
    await draft.save();
  });
}

/** See `Store.imageData`. */
export async function imageData(parts: StoreParts, id: string, key: string): Promise<Buffer | undefined> {
  const image = await parts.images.read((images) => images.get(id));
  if (image === undefined || !image.dataNames.includes(key)) return undefined;
  try {
    return await readBounded(join(parts.paths.imagesDir, image.id, bigDataFileName(key)), maxDataBytes);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** See `Store.imageConfig`. */
export async function imageConfig(parts: StoreParts, id: string): Promise<Buffer> {
  const image = await parts.images.read((images) => images.get(id));
  if (image === undefined) throw new Fault("not-found", `no image ${id} in the store`);
  // The id is the hash of the config, except for images that are known by the table of contents of a layer.
  const keys = [`sha256:${id}`, ...image.dataNames.filter((key) => /^sha(?:256|384|512):/.test(key))];
  for (const key of new Set(keys)) {
    const bytes = await imageData(parts, id, key);
    if (bytes !== undefined) return bytes;
  }
  throw new Fault("corrupt", `image ${id} has no config in the store; pull it again`);
}

/** See `Store.layersOf`. */
export function chainOf(layers: RecordView<StoredLayer>, top: string | undefined): readonly StoredLayer[] {
  const chain: StoredLayer[] = [];
  const seen = new Set<string>();
  for (let id = top; id !== undefined; id = chain.at(-1)?.parent) {
    const layer = layers.get(id);
    if (layer === undefined) throw new Fault("corrupt", `layer ${id} is missing in the store`);
    if (seen.has(id)) throw new Fault("corrupt", `layer ${id} is its own ancestor`);
    seen.add(id);
    chain.push(layer);
  }
  return chain;
}

/** See `Store.imageSize`. */
export async function imageSize(parts: StoreParts, id: string): Promise<bigint> {
  const [image, layers] = await parts.layers.read((all) =>
    parts.images.read((images) => {
      const found = images.get(id);
      if (found === undefined) throw new Fault("not-found", `no image ${id} in the store`);
      return [found, chainOf(all, found.layer)] as const;
    }),
  );
  let size = 0n;
  for (const layer of layers) {
    if (layer.diffSize === undefined) throw new Fault("corrupt", `the size of layer ${layer.id} is unknown`);
    size += BigInt(layer.diffSize);
  }
  for (const bytes of [...image.dataSizes.values(), ...image.signatureSizes]) size += BigInt(bytes);
  return size;
}

export interface RemoveImageOptions {
  /** Layers that stay although nothing in the store needs them. Asked under the lock of the layers. */
  readonly isWanted?: (layerId: string) => boolean;
}

/** See `Store.removeImage`. */
export async function removeImage(
  parts: StoreParts,
  id: string,
  { isWanted = () => false }: RemoveImageOptions = {},
): Promise<readonly string[]> {
  const trash = new LayerTrash(parts);
  try {
    return await parts.layers.write((layers) =>
      parts.images.write((images) =>
        parts.containers.read(async (containers) => {
          const image = images.get(id);
          if (image === undefined) return [];
          const user = containers.all.find(({ imageId }) => imageId === id);
          if (user !== undefined) {
            throw new Fault("precondition", `image used by ${user.id}: image is in use by a container`);
          }
          images.remove(id);
          await images.save();
          const used = layersInUse(images, containers);
          return await removeUnusedChains(layers, [...image.mappedLayers, image.layer], { used, trash, isWanted });
        }),
      ),
    );
  } finally {
    await trash.empty();
    await removeData(parts, id);
  }
}

/** Removes the data of an image that is no longer recorded, unless it was recorded again meanwhile. */
async function removeData(parts: StoreParts, id: string): Promise<void> {
  await parts.images.write(async (images) => {
    if (images.get(id) !== undefined || !isStoreId(id)) return;
    await rm(join(parts.paths.imagesDir, id), { recursive: true, force: true }); // a handful of files
  });
}

/** See `Store.removeUnusedLayers`. */
export async function removeUnusedLayers(parts: StoreParts, ids: readonly string[]): Promise<readonly string[]> {
  if (ids.length === 0) return [];
  const trash = new LayerTrash(parts);
  try {
    return await parts.layers.write((layers) =>
      parts.images.read((images) =>
        parts.containers.read((containers) => {
          const used = layersInUse(images, containers);
          return removeUnusedChains(layers, ids, { used, trash, only: new Set(ids) });
        }),
      ),
    );
  } finally {
    await trash.empty();
  }
}

function layersInUse(
  images: Pick<RecordView<StoredImage>, "all" | "notUnderstood">,
  containers: Pick<RecordView<StoredContainer>, "all" | "notUnderstood">,
): ReadonlySet<string | undefined> {
  return new Set([
    ...images.all.flatMap(({ layer, mappedLayers }) => [layer, ...mappedLayers]),
    ...containers.all.map(({ layerId }) => layerId),
    ...images.notUnderstood,
    ...containers.notUnderstood,
  ]);
}

/** Removes layers from each of `tops` down, as far as nothing uses them or stands on them; those in `only`, where it is given. */
async function removeUnusedChains(
  layers: RecordDraft<StoredLayer>,
  tops: readonly (string | undefined)[],
  {
    used,
    trash,
    only,
    isWanted = () => false,
  }: {
    readonly used: ReadonlySet<string | undefined>;
    readonly trash: LayerTrash;
    readonly only?: ReadonlySet<string>;
    readonly isWanted?: (layerId: string) => boolean;
  },
): Promise<readonly string[]> {
  const removed: string[] = [];
  const isFree = (id: string) =>
    !used.has(id) &&
    !isWanted(id) &&
    only?.has(id) !== false &&
    !layers.notUnderstood.has(id) &&
    !layers.all.some(({ parent }) => parent === id);
  for (const top of tops) {
    for (let id = top; id !== undefined && isFree(id); ) {
      const layer = layers.get(id);
      if (layer === undefined) break;
      await trash.discard(layers, id);
      removed.push(id);
      id = layer.parent;
    }
  }
  return removed;
}
