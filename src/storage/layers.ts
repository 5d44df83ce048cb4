import { createHash } from "node:crypto";
import { mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { Fault, reasonOf, Undo, withStep } from "../base/index.ts";
import { syncFilesystem } from "../host/index.ts";
import { type Digest, digestFromHex, digestHex } from "../oci/index.ts";
import { LayerTrash } from "./layer-trash.ts";
import { baseRootAttributes, fillLayerDirectory } from "./overlay/layer-directory.ts";
import { checkStoreId, tarSplitPath } from "./paths.ts";
import { markComplete, newLayerRecord } from "./records/layer-record.ts";
import { newLayerRecordTempDir, newLayerTempDir, type StoreParts } from "./store-parts.ts";
import type { TempDir } from "./temp-dir.ts";
import type { Compression } from "./unpack/decompressor.ts";
import type { LayerLimits } from "./unpack/limits.ts";

/** A layer that is unpacked but not yet in the store: `commitLayer` puts it there, `discard` gives it up. */
export interface StagedLayer extends AsyncDisposable {
  /** Digest and size of the archive, uncompressed. */
  readonly diffId: Digest;
  readonly diffSize: number;
  /** Of the bytes as they came. */
  readonly compressedDigest: Digest;
  readonly compressedSize: number;
  readonly compression: Compression;
  /** Users and groups that own something in it, in ascending order. */
  readonly uids: readonly number[];
  readonly gids: readonly number[];
  /** Removes it, unless it was committed. Idempotent; rejects when something cannot be removed. */
  discard(): Promise<void>;
}

export interface StageOptions {
  readonly signal: AbortSignal;
  readonly limits?: Partial<LayerLimits>;
}

/** What only this file sees of a staged layer. */
interface Staged extends StagedLayer {
  readonly directory: string;
  readonly tarSplitFile: string;
  readonly hasRootEntry: boolean;
}

/**
 * The id of a layer with this content on top of `parent`: for a base layer the digits of the diff id, else the hash of
 * both (reference: ondisk.md 2.3). The same stack of layers has the same ids in every image and every tool.
 */
export function layerIdOf(parent: string | undefined, diffId: Digest): string {
  const hex = digestHex(diffId);
  return parent === undefined ? hex : createHash("sha256").update(`${parent}+${hex}`).digest("hex");
}

/** See `Store.stageLayer`. */
export async function stageLayer(
  parts: StoreParts,
  blob: AsyncIterable<Uint8Array>,
  { signal, limits }: StageOptions,
): Promise<StagedLayer> {
  signal.throwIfAborted();
  const undo = new Undo();
  try {
    const trees = await newLayerTempDir(parts);
    undo.add("the unpacked layer", () => trees.remove());
    const files = await newLayerRecordTempDir(parts);
    undo.add("the layer's tar-split", () => files.remove());
    const directory = trees.newPath("addition");
    const tarSplitFile = files.newPath("tar-split.gz");
    await mkdir(directory, { mode: 0o700 });
    await fillLayerDirectory(directory, baseRootAttributes);
    const layer = await parts.workers.unpack(
      blob,
      {
        directory: join(directory, "diff"),
        tarSplitFile,
        scratchFile: files.newPath("scratch"),
        limits: { ...parts.limits, ...limits },
        ignoreChownErrors: parts.driverOptions.ignoreChownErrors,
      },
      signal,
    );
    if (layer.skippedXattrs > 0) {
      parts.log.debug("extended attributes of a layer were left out", { count: layer.skippedXattrs });
    }
    const discard = discardOnce(trees, files);
    const staged: Staged = {
      diffId: digestFromHex(layer.diffSha256),
      diffSize: layer.diffSize,
      compressedDigest: digestFromHex(layer.compressedSha256),
      compressedSize: layer.compressedSize,
      compression: layer.compression,
      uids: layer.uids,
      gids: layer.gids,
      directory,
      tarSplitFile,
      hasRootEntry: layer.hasRootEntry,
      discard,
      [Symbol.asyncDispose]: discard,
    };
    return staged;
  } catch (error) {
    await undo.run().catch((undoError) => {
      parts.log.warn("a layer that could not be unpacked still takes space", { why: undoError.message });
    });
    throw error;
  }
}

function discardOnce(trees: TempDir, files: TempDir): () => Promise<void> {
  let discarded: Promise<void> | undefined;
  return () => {
    discarded ??= Promise.all([trees.remove(), files.remove()]).then(() => {});
    return discarded;
  };
}

export interface CommitOptions {
  readonly id: string;
  readonly parent?: string;
}

/** See `Store.commitLayer`. */
export async function commitLayer(
  parts: StoreParts,
  layer: StagedLayer,
  { id, parent }: CommitOptions,
): Promise<boolean> {
  const staged = layer as Staged; // every StagedLayer is made by stageLayer
  checkStoreId(id);
  const trash = new LayerTrash(parts);
  let added = false;
  try {
    added = await parts.layers.write(async (draft) => {
      const before = draft.get(id);
      if (before !== undefined && !before.incomplete) return false;
      const below = parent === undefined ? undefined : draft.get(parent);
      if (parent !== undefined && (below === undefined || below.incomplete)) {
        throw new Fault("not-found", `layer ${id} cannot be put into the store: its parent ${parent} is not there`);
      }
      if (before !== undefined) await trash.discard(draft, id);
      else if (await parts.driver.exists(id)) await trash.discardFiles(id); // of a crash that lost the record
      draft.put(newLayerRecord({ id, parent, createdNs: parts.clock.nowNs(), content: staged }));
      await draft.save();
      try {
        await rename(staged.tarSplitFile, tarSplitPath(parts.paths, id));
        await parts.driver.adopt(staged.directory, id, { parent, hasRootEntry: staged.hasRootEntry });
        if (parts.syncLayers) await syncFilesystem(parts.paths.driverHome);
        draft.put(markComplete(draft.record(id)));
        await draft.save();
        return true;
      } catch (error) {
        await trash.discard(draft, id);
        throw error;
      }
    });
  } catch (error) {
    throw withStep("putting a layer into the store", error);
  } finally {
    await trash.empty();
  }
  await staged.discard().catch((error) => {
    parts.log.warn("a layer was put into the store, but what it was unpacked in stays", {
      layer: id,
      why: reasonOf(error),
    });
  });
  return added;
}
