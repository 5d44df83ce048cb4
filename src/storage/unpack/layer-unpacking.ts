import { createHash } from "node:crypto";
import { errnoOf, Fault, type FaultCode, isFault, reasonOf } from "../../base/index.ts";
import { type Compression, Decompressor } from "./decompressor.ts";
import { DirectoryTimes } from "./directory-times.ts";
import { LayerTree } from "./layer-tree.ts";
import type { LayerLimits } from "./limits.ts";
import { Owners } from "./owners.ts";
import type { TarEntry } from "./tar-entry.ts";
import { type TarListener, TarReader } from "./tar-reader.ts";
import { TarSplitWriter } from "./tar-split-writer.ts";

/** What is known of a layer once it is unpacked. Sizes are below 2^53 by the limits. */
export interface UnpackedLayer {
  /** SHA-256 of the uncompressed archive, in hex. */
  readonly diffSha256: string;
  readonly diffSize: number;
  /** SHA-256 of the bytes as they came, in hex. */
  readonly compressedSha256: string;
  readonly compressedSize: number;
  readonly compression: Compression;
  readonly uids: readonly number[];
  readonly gids: readonly number[];
  readonly entries: number;
  /** Whether the archive says what the root directory is like; if not, it is to be like the parent layer's. */
  readonly hasRootEntry: boolean;
  /** Extended attributes left out. */
  readonly skippedXattrs: number;
}

export interface LayerUnpackingOptions {
  /** Where tar-split goes. */
  readonly tarSplitFd: number;
  /** An empty file, for what does not fit in memory. */
  readonly scratchFd: number;
  readonly limits: LayerLimits;
  readonly ignoreChownErrors: boolean;
}

/**
 * One layer on its way from compressed bytes to a tree below the working directory, in one pass: hashed on both sides of
 * the decompression, unpacked, and recorded as tar-split. Runs in the confined worker. The descriptors stay the caller's.
 */
export class LayerUnpacking {
  readonly #limits: LayerLimits;
  readonly #compressedHash = createHash("sha256");
  readonly #diffHash = createHash("sha256");
  readonly #decompressor: Decompressor;
  readonly #tarSplit: TarSplitWriter;
  readonly #tree: LayerTree;
  readonly #reader: TarReader;
  readonly #uids: Owners;
  readonly #gids: Owners;
  #compressedSize = 0;
  #diffSize = 0;

  constructor(options: LayerUnpackingOptions) {
    this.#limits = options.limits;
    const { maxEntries, maxOwners, zstdWindowLog } = options.limits;
    this.#uids = new Owners(maxOwners);
    this.#gids = new Owners(maxOwners);
    this.#tarSplit = new TarSplitWriter(options.tarSplitFd);
    const directoryTimes = new DirectoryTimes(options.scratchFd);
    this.#tree = new LayerTree({ directoryTimes, maxEntries, ignoreChownErrors: options.ignoreChownErrors });
    this.#reader = new TarReader(this.#listener(), options.limits);
    this.#decompressor = new Decompressor({ zstdWindowLog, onBytes: (bytes) => this.#uncompressed(bytes) });
  }

  /** Takes the next bytes as they come from the registry; resolves when they are unpacked. Rejects with a Fault that names the entry. */
  async write(chunk: Buffer): Promise<void> {
    this.#compressedSize += chunk.length;
    this.#compressedHash.update(chunk);
    await this.#decompressor.write(chunk);
  }

  /** There are no more bytes. */
  async finish(): Promise<UnpackedLayer> {
    await this.#decompressor.end();
    this.#naming(() => {
      this.#reader.finish();
      this.#tree.finish();
      this.#tarSplit.finish();
    });
    return {
      diffSha256: this.#diffHash.digest("hex"),
      diffSize: this.#diffSize,
      compressedSha256: this.#compressedHash.digest("hex"),
      compressedSize: this.#compressedSize,
      compression: this.#decompressor.compression,
      uids: this.#uids.list(),
      gids: this.#gids.list(),
      entries: this.#reader.entries,
      hasRootEntry: this.#tree.hasRootEntry,
      skippedXattrs: this.#tree.skippedXattrs,
    };
  }

  /** Gives up or is done: closes what is open. What was unpacked is the caller's to remove. */
  close(): void {
    this.#decompressor.close();
    this.#tree.abandon();
  }

  #uncompressed(bytes: Buffer): void {
    this.#naming(() => {
      this.#diffSize += bytes.length;
      this.#checkSize();
      this.#diffHash.update(bytes);
      this.#reader.push(bytes);
    });
  }

  #checkSize(): void {
    const { maxBytes, maxRatio, ratioFromBytes } = this.#limits;
    if (this.#diffSize > maxBytes)
      throw new Fault("exhausted", `the layer is larger than ${maxBytes} bytes uncompressed`);
    if (this.#diffSize > ratioFromBytes && this.#diffSize > this.#compressedSize * maxRatio) {
      throw new Fault("exhausted", `the layer is more than ${maxRatio} times larger uncompressed than compressed`);
    }
  }

  #listener(): TarListener {
    return {
      headers: (raw) => this.#tarSplit.segment(raw),
      globalHeader: (name) => this.#tarSplit.globalHeader(name),
      entry: (entry) => this.#entry(entry),
      content: (bytes) => {
        this.#tree.write(bytes);
        this.#tarSplit.content(bytes);
      },
      entryEnd: () => {
        this.#tree.end();
        this.#tarSplit.endFile();
      },
      trailer: (bytes) => this.#tarSplit.segment(bytes),
    };
  }

  #entry(entry: TarEntry): void {
    this.#uids.add(entry.uid);
    this.#gids.add(entry.gid);
    this.#tree.create(entry);
    this.#tarSplit.startFile(entry.name, entry.size);
  }

  /** Runs a step; what it throws comes out as a Fault that says where in the archive it happened. */
  #naming(step: () => void): void {
    try {
      step();
    } catch (error) {
      const code = isFault(error) ? error.code : (codes.get(errnoOf(error) ?? "") ?? "failed");
      throw new Fault(code, `${this.#reader.where()}: ${reasonOf(error)}`, { cause: error });
    }
  }
}

/** What the file system says of an archive that asks for too much, or for what cannot be. The rest is no fault of the archive. */
const codes: ReadonlyMap<string, FaultCode> = new Map([
  ["ENOSPC", "exhausted"],
  ["EDQUOT", "exhausted"],
  ["EMLINK", "exhausted"],
  ["EFBIG", "exhausted"],
  ["ENAMETOOLONG", "invalid"],
  ["ELOOP", "invalid"],
  ["ENOTDIR", "invalid"],
  ["EISDIR", "invalid"],
  ["EINVAL", "invalid"],
  ["EPERM", "denied"],
]);
