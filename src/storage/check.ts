import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, isFault, reasonOf } from "../base/index.ts";
import { readBounded } from "../host/index.ts";
import { digestHex, digestOf, isDigest } from "../oci/index.ts";
import { layerDirectoryProblems } from "./overlay/layer-soundness.ts";
import { bigDataFileName, tarSplitPath } from "./paths.ts";
import type { DataFields } from "./records/common-fields.ts";
import type { StoredContainer } from "./records/container-record.ts";
import type { StoredImage } from "./records/image-record.ts";
import type { StoredLayer } from "./records/layer-record.ts";
import type { StoreParts } from "./store-parts.ts";

export interface CheckOptions {
  /**
   * How far to look: `"structure"` at records, directories, links, sizes and mounts; `"digests"` reads layers and data back too;
   * `"contents"` compares each layer's names, modes and owners besides.
   */
  readonly depth: "structure" | "digests" | "contents";
  /** How long a layer may be there that nothing uses, before that counts as damage. */
  readonly unusedForMs: number;
  readonly signal?: AbortSignal;
}

/** What is damaged in a store, by id, each with what is wrong. */
export interface StoreReport {
  readonly layers: ReadonlyMap<string, readonly string[]>;
  readonly images: ReadonlyMap<string, readonly string[]>;
  readonly containers: ReadonlyMap<string, readonly string[]>;
  /** Directories of layers that are in no record. */
  readonly strays: readonly string[];
}

/** Whether nothing is damaged. */
export function isSound({ layers, images, containers, strays }: StoreReport): boolean {
  return layers.size + images.size + containers.size + strays.length === 0;
}

const maxDataBytes = 64 * 2 ** 20;

/** See `Store.check`. */
export async function checkStore(parts: StoreParts, options: CheckOptions): Promise<StoreReport> {
  const records = await recordsOf(parts);
  const { layers, images, containers } = records;
  const damaged = new Map<string, string[]>();
  const note = (id: string, problems: readonly string[]) => {
    if (problems.length > 0) damaged.set(id, [...(damaged.get(id) ?? []), ...problems]);
  };
  const unused = unusedLayers(records, parts.clock.nowNs() - BigInt(options.unusedForMs) * 1_000_000n);
  for (const layer of layers.values()) {
    options.signal?.throwIfAborted();
    note(layer.id, await layerProblems(parts, layer, { ...options, layers }));
  }
  for (const id of topsOf(layers)) if (!damagedBelow(id, layers, damaged)) note(id, await mountProblems(parts, id));
  await forgetVanished(parts, damaged);
  // What depends on damaged layers is damaged; what only takes space concerns nothing else.
  const isDamaged = (id: string | undefined) => (id === undefined ? undefined : damagedBelow(id, layers, damaged));
  const imageProblems = await problemsOf(images.values(), async (image) => [
    ...topsOfImage(image).flatMap((top) => chainProblem(top, { layers, isDamaged })),
    ...(await dataProblems(join(parts.paths.imagesDir, image.id), image, options)),
  ]);
  const containerProblems = await problemsOf(containers.values(), async (container) => [
    ...imageProblem(container, { images, imageProblems }),
    ...chainProblem(container.layerId, { layers, isDamaged }),
    ...(await dataProblems(join(parts.paths.containersDir, container.id), container, options)),
  ]);
  for (const id of unused) note(id, ["nothing uses it"]);
  return { layers: damaged, images: imageProblems, containers: containerProblems, strays: await strayLayers(parts) };
}

interface Records {
  readonly layers: ReadonlyMap<string, StoredLayer>;
  readonly images: ReadonlyMap<string, StoredImage>;
  readonly containers: ReadonlyMap<string, StoredContainer>;
  /** Ids in records that cannot be understood. */
  readonly notUnderstood: ReadonlySet<string>;
}

async function recordsOf(parts: StoreParts): Promise<Records> {
  const byId = <T extends { readonly id: string }>(all: readonly T[]) => new Map(all.map((one) => [one.id, one]));
  return parts.layers.read((layers) =>
    parts.images.read((images) =>
      parts.containers.read((containers) => ({
        layers: byId(layers.all.filter(({ incomplete }) => !incomplete)),
        images: byId(images.all),
        containers: byId(containers.all),
        notUnderstood: new Set([layers, images, containers].flatMap((view) => [...view.notUnderstood])),
      })),
    ),
  );
}

async function problemsOf<T extends { readonly id: string }>(
  things: Iterable<T>,
  look: (thing: T) => Promise<readonly string[]>,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const found = new Map<string, readonly string[]>();
  for (const thing of things) {
    const problems = await look(thing);
    if (problems.length > 0) found.set(thing.id, problems);
  }
  return found;
}

async function layerProblems(
  parts: StoreParts,
  layer: StoredLayer,
  { depth, layers, signal }: CheckOptions & Pick<Records, "layers">,
): Promise<readonly string[]> {
  const { id, parent } = layer;
  if (parent !== undefined && !layers.has(parent)) return [`the layer ${parent} below it is missing`];
  const problems = await layerDirectoryProblems(parts.paths.driverHome, id, parent);
  if (problems.length > 0 || depth === "structure") return problems;
  return await contentProblems(parts, layer, { contents: depth === "contents", signal });
}

async function contentProblems(
  { paths, driver, driverOptions, workers, limits, log }: StoreParts,
  layer: StoredLayer,
  { contents, signal }: { readonly contents: boolean; readonly signal: AbortSignal | undefined },
): Promise<readonly string[]> {
  const { id, diffId } = layer;
  if (diffId === undefined || !isDigest(diffId) || !diffId.startsWith("sha256:")) return []; // a container's, or of parts only
  const plan = {
    directory: driver.diffDirectory(id),
    tarSplitFile: tarSplitPath(paths, id),
    diffSha256: digestHex(diffId),
    diffSize: layer.diffSize,
    contents,
    owners: layer.uidMaps.length === 0 && layer.gidMaps.length === 0 && !driverOptions.ignoreChownErrors,
    limits,
  };
  if ((await sizeOf(plan.tarSplitFile)) === undefined) {
    log.debug("a layer cannot be read back: it has no tar-split", { layer: id });
    return [];
  }
  const { problems, skipped } = await workers.verify(plan, signal);
  if (skipped !== undefined) log.debug("a layer was not read back wholly", { layer: id, why: skipped });
  return problems;
}

function imageProblem(
  { imageId }: StoredContainer,
  { images, imageProblems }: Pick<Records, "images"> & { readonly imageProblems: ReadonlyMap<string, unknown> },
): readonly string[] {
  if (imageId === undefined) return [];
  if (!images.has(imageId)) return [`its image ${imageId} is missing`];
  return imageProblems.has(imageId) ? [`its image ${imageId} is damaged`] : [];
}

/** Layers that no other stands on. */
function topsOf(layers: Records["layers"]): readonly string[] {
  const parents = new Set([...layers.values()].map(({ parent }) => parent));
  return [...layers.keys()].filter((id) => !parents.has(id));
}

/** That a stack of layers can be mounted is found out by doing so, read-only; one that is mounted already can. */
async function mountProblems({ layers, mounts, driver }: StoreParts, id: string): Promise<readonly string[]> {
  return layers.read((view) =>
    mounts.write(async () => {
      if (view.get(id) === undefined || (await driver.isMounted(id))) return [];
      try {
        await driver.mountReadonly(id);
      } catch (error) {
        return [`it cannot be mounted: ${reasonOf(error)}`];
      } finally {
        await driver.unmount(id);
      }
      return [];
    }),
  );
}

/** Of layers that somebody has removed while we looked, nothing is to be said. */
async function forgetVanished({ layers }: StoreParts, damaged: Map<string, string[]>): Promise<void> {
  if (damaged.size === 0) return;
  await layers.read((view) => {
    for (const id of damaged.keys()) if (view.get(id) === undefined) damaged.delete(id);
  });
}

/** The layer itself, or the nearest below it that is damaged. */
function damagedBelow(
  top: string,
  layers: Records["layers"],
  damaged: ReadonlyMap<string, unknown>,
): string | undefined {
  const seen = new Set<string>();
  for (let id: string | undefined = top; id !== undefined && !seen.has(id); id = layers.get(id)?.parent) {
    if (damaged.has(id)) return id;
    seen.add(id);
  }
  return undefined;
}

function topsOfImage({ layer, mappedLayers }: StoredImage): readonly string[] {
  return layer === undefined ? mappedLayers : [layer, ...mappedLayers];
}

function chainProblem(
  top: string,
  { layers, isDamaged }: Pick<Records, "layers"> & { isDamaged(id: string): string | undefined },
): readonly string[] {
  if (!layers.has(top)) return [`its layer ${top} is missing`];
  const damaged = isDamaged(top);
  return damaged === undefined ? [] : [`its layer ${damaged} is damaged`];
}

async function dataProblems(
  directory: string,
  { dataNames, dataSizes, dataDigests }: DataFields,
  { depth }: CheckOptions,
): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const key of dataNames) {
    const problem = await dataProblem(directory, key, {
      size: dataSizes.get(key),
      digest: depth === "structure" ? undefined : dataDigests.get(key),
    });
    if (problem !== undefined) problems.push(`its data ${key} ${problem}`);
  }
  return problems;
}

async function dataProblem(
  directory: string,
  key: string,
  { size, digest }: { readonly size: number | undefined; readonly digest: string | undefined },
): Promise<string | undefined> {
  try {
    const path = join(directory, bigDataFileName(key));
    const found = await sizeOf(path);
    if (found === undefined) return "is missing";
    if (size !== undefined && found !== size) return `has ${found} bytes in place of ${size}`;
    if (digest === undefined || !digest.startsWith("sha256:") || found > maxDataBytes) return undefined;
    const bytes = await readBounded(path, maxDataBytes);
    if (digestOf(bytes) === digest || isSignedSchema1(bytes)) return undefined;
    return `has another digest than ${digest}`;
  } catch (error) {
    if (isFault(error, "invalid")) return "has a name that is none";
    throw error;
  }
}

/** The digest of the oldest manifests is not that of their bytes, which hold signatures. */
function isSignedSchema1(bytes: Buffer): boolean {
  return /"schemaVersion"\s*:\s*1\b/.test(bytes.toString("latin1"));
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    const found = await lstat(path);
    return found.isFile() ? found.size : undefined;
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(errnoOf(error) ?? "")) return undefined;
    throw error;
  }
}

/** Layers that neither images nor containers need, and that are older than `beforeNs`, with all that stand on them. */
function unusedLayers({ layers, images, containers, notUnderstood }: Records, beforeNs: bigint): readonly string[] {
  const kept = new Set<string>();
  const keep = (top: string) => {
    for (let id: string | undefined = top; id !== undefined && !kept.has(id); id = layers.get(id)?.parent) kept.add(id);
  };
  for (const image of images.values()) for (const top of topsOfImage(image)) keep(top);
  for (const { layerId } of containers.values()) keep(layerId);
  for (const id of notUnderstood) keep(id);
  for (const { id, createdNs } of layers.values()) if (createdNs > beforeNs) keep(id);
  return [...layers.keys()].filter((id) => !kept.has(id));
}

/** Directories of layers without a record; with the lock, under which both are made. */
async function strayLayers(parts: StoreParts): Promise<readonly string[]> {
  return parts.layers.read(async (view) => {
    const names = await readdir(parts.paths.driverHome);
    const recorded = new Set([...view.all.map(({ id }) => id), ...view.notUnderstood]);
    return names.filter((name) => /^[0-9a-f]{64}$/.test(name) && !recorded.has(name));
  });
}
