import { mkdir, mkdtemp, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errnoOf, Fault, type Logger, reasonOf, withStep } from "../../base/index.ts";
import { lockFile, readBounded, syncDirectory, writeFileAtomic } from "../../host/index.ts";
import {
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestHex,
  type ImageManifest,
  type ImageReference,
  maxManifestBytes,
  parseManifest,
  referenceText,
} from "../../oci/index.ts";
import { type IndexEntry, indexText, newEntry, readIndex } from "./artifact-index.ts";

/** An OCI artifact of the node: a manifest, and blobs that are files. */
export interface StoredArtifact {
  /** The full reference it was pulled by; anything else that another program may have written, or "". */
  readonly refName: string;
  readonly digest: Digest;
  readonly manifest: ImageManifest;
  /** Of the manifest and all its blobs. */
  readonly sizeBytes: bigint;
  /** In an additional store. */
  readonly isReadOnly: boolean;
  /** Where a blob of it is. */
  readonly pathOf: (blob: Descriptor) => string;
}

export interface NewArtifact {
  readonly reference: ImageReference;
  readonly manifest: ImageManifest;
  readonly manifestBytes: Buffer;
  readonly digest: Digest;
  /** The verified bytes of a blob of the manifest; asked for those that are not there yet. */
  readonly blob: (blob: Descriptor) => AsyncIterable<Uint8Array>;
}

/** The artifacts of the node (reference: ondisk.md 5): an OCI image layout of our own, and others that are only read. */
export interface ArtifactStore {
  /** All artifacts, those of additional stores first; one reference counts once. A store that cannot be read is told of in the log. */
  list(): Promise<readonly StoredArtifact[]>;
  /** Puts an artifact into our own store; when it fails nothing of it stays. */
  put(artifact: NewArtifact): Promise<StoredArtifact>;
  /** Removes the artifact of our own store with this name, or without a name this digest, and the blobs that no other needs. Unknown ones are fine. */
  remove(refName: string, digest: Digest): Promise<void>;
}

export interface ArtifactStoreOptions {
  /** Of the store; artifacts are in `artifacts` below it. */
  readonly graphRoot: string;
  /** As `graphRoot`, of stores that are only read. */
  readonly additional: readonly string[];
  readonly log: Logger;
}

const lockTimeoutMs = 60_000;
const stagingPrefix = ".staging-";

/** Opens the stores; nothing is made before the first artifact comes. Removes what a killed daemon had begun. */
export async function openArtifactStore({ graphRoot, additional, log }: ArtifactStoreOptions): Promise<ArtifactStore> {
  const layout = new Layout(join(graphRoot, "artifacts"));
  await layout.removeStaged();
  const others = additional.map((directory) => new Layout(join(directory, "artifacts")));
  return {
    async list() {
      const found = new Map<string, StoredArtifact>();
      for (const each of [...others, layout]) {
        for (const artifact of await listed(each, each !== layout, log)) {
          const key = artifact.refName === "" ? artifact.digest : artifact.refName;
          if (!found.has(key)) found.set(key, artifact);
        }
      }
      return [...found.values()];
    },
    put: (artifact) => layout.put(artifact),
    remove: (refName, digest) => layout.remove(refName, digest),
  };
}

async function listed(layout: Layout, isReadOnly: boolean, log: Logger): Promise<readonly StoredArtifact[]> {
  const artifacts: StoredArtifact[] = [];
  try {
    for (const entry of await layout.entries()) {
      try {
        artifacts.push(await layout.read(entry, isReadOnly));
      } catch (error) {
        log.warn("an OCI artifact cannot be read", {
          name: entry.refName,
          store: layout.directory,
          error: reasonOf(error),
        });
      }
    }
  } catch (error) {
    log.warn("a store of OCI artifacts cannot be read", { store: layout.directory, error: reasonOf(error) });
  }
  return artifacts;
}

/** One OCI image layout. */
class Layout {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  entries(): Promise<readonly IndexEntry[]> {
    return readIndex(this.#indexPath);
  }

  async read({ descriptor, refName }: IndexEntry, isReadOnly: boolean): Promise<StoredArtifact> {
    const manifest = await this.#manifest(descriptor);
    return {
      refName,
      digest: descriptor.digest,
      manifest,
      sizeBytes: blobsOf(manifest).reduce((sum, { size }) => sum + BigInt(size), BigInt(descriptor.size)),
      isReadOnly,
      pathOf: (blob) => this.#blobPath(blob.digest),
    };
  }

  async put(artifact: NewArtifact): Promise<StoredArtifact> {
    const { manifest, manifestBytes, digest, reference } = artifact;
    const refName = referenceText(reference);
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    const staging = await mkdtemp(join(this.directory, stagingPrefix));
    try {
      const staged = await this.#stage(staging, artifact);
      using _lock = await this.#lock();
      const before = await this.entries();
      try {
        await this.#commit(staged, artifact);
        const descriptor = {
          mediaType: manifest.mediaType,
          digest,
          size: manifestBytes.length,
          ...artifactTypeOf(manifest),
        };
        const entry = newEntry(refName, descriptor);
        const kept = before.filter((each) => each.refName !== refName);
        await this.#writeIndex([...kept, entry]);
        for (const replaced of before) if (!kept.includes(replaced)) await this.#removeBlobs(replaced.descriptor);
        return await this.read(entry, false);
      } catch (error) {
        await this.#removeUnneeded([...blobsOf(manifest).map((blob) => blob.digest), digest]);
        throw error;
      }
    } catch (error) {
      throw withStep(`storing the OCI artifact ${refName}`, error);
    } finally {
      await rm(staging, { recursive: true, force: true });
    }
  }

  async remove(refName: string, digest: Digest): Promise<void> {
    if (!(await isThere(this.#indexPath))) return;
    using _lock = await this.#lock();
    const before = await this.entries();
    const isIt = (entry: IndexEntry) =>
      entry.refName === refName && (refName !== "" || entry.descriptor.digest === digest);
    const gone = before.find(isIt);
    if (gone === undefined) return;
    await this.#writeIndex(before.filter((entry) => !isIt(entry)));
    await this.#removeBlobs(gone.descriptor);
  }

  /** Of a daemon that was killed; nobody else makes such directories. */
  async removeStaged(): Promise<void> {
    const names = await readdir(this.directory).catch((error: unknown) => {
      if (errnoOf(error) === "ENOENT") return [];
      throw error;
    });
    for (const name of names) {
      if (name.startsWith(stagingPrefix)) await rm(join(this.directory, name), { recursive: true, force: true });
    }
  }

  /** Downloads what is not there yet; resolves with where it lies. */
  async #stage(staging: string, { manifest, blob }: NewArtifact): Promise<ReadonlyMap<Digest, string>> {
    const staged = new Map<Digest, string>();
    for (const descriptor of blobsOf(manifest)) {
      if (staged.has(descriptor.digest) || (await isThere(this.#blobPath(descriptor.digest)))) continue;
      const path = join(staging, digestHex(descriptor.digest));
      await using file = await open(path, "wx", 0o644);
      for await (const chunk of blob(descriptor)) await file.writeFile(chunk);
      await file.sync();
      staged.set(descriptor.digest, path);
    }
    return staged;
  }

  async #commit(staged: ReadonlyMap<Digest, string>, { manifest, manifestBytes, digest }: NewArtifact): Promise<void> {
    for (const [blob, path] of staged) {
      const target = this.#blobPath(blob);
      await mkdir(dirname(target), { recursive: true, mode: 0o755 });
      await rename(path, target);
    }
    const path = this.#blobPath(digest);
    await mkdir(dirname(path), { recursive: true, mode: 0o755 });
    await writeFileAtomic(path, manifestBytes, { mode: 0o644, durable: true });
    for (const blob of blobsOf(manifest)) {
      if (await isThere(this.#blobPath(blob.digest))) continue;
      throw new Fault("failed", `blob ${blob.digest} was removed together with another artifact meanwhile: pull again`);
    }
  }

  async #writeIndex(entries: readonly IndexEntry[]): Promise<void> {
    const layout = join(this.directory, "oci-layout");
    if (!(await isThere(layout))) {
      await writeFileAtomic(layout, `{"imageLayoutVersion":"1.0.0"}`, { mode: 0o644, durable: true });
    }
    await writeFileAtomic(this.#indexPath, indexText(entries), { mode: 0o644, durable: true });
  }

  /** Removes the blobs of a manifest that is not in the index any more, and it. One that cannot be read has blobs that nobody knows. */
  async #removeBlobs(descriptor: Descriptor): Promise<void> {
    const manifest = await this.#manifest(descriptor).catch(() => undefined);
    const blobs = manifest === undefined ? [] : blobsOf(manifest);
    await this.#removeUnneeded([...blobs.map(({ digest }) => digest), descriptor.digest]);
  }

  async #removeUnneeded(digests: readonly Digest[]): Promise<void> {
    const needed = new Set<Digest>();
    for (const { descriptor } of await this.entries()) {
      needed.add(descriptor.digest);
      for (const { digest } of blobsOf(await this.#manifest(descriptor))) needed.add(digest);
    }
    for (const digest of digests) if (!needed.has(digest)) await rm(this.#blobPath(digest), { force: true });
    const folder = join(this.directory, "blobs/sha256");
    if (await isThere(folder)) await syncDirectory(folder);
  }

  async #manifest({ digest, mediaType }: Descriptor): Promise<ImageManifest> {
    const manifest = parseManifest(await readBounded(this.#blobPath(digest), maxManifestBytes), mediaType);
    if (manifest.is === "image") return manifest;
    throw new Fault("invalid", `${digest} is a list of manifests, not an artifact`);
  }

  #lock() {
    return lockFile(join(this.directory, "index.lock"), "write", { timeoutMs: lockTimeoutMs });
  }

  get #indexPath(): string {
    return join(this.directory, "index.json");
  }

  #blobPath(digest: Digest): string {
    return join(this.directory, "blobs", digestAlgorithm(digest), digestHex(digest));
  }
}

function blobsOf({ config, layers }: ImageManifest): readonly Descriptor[] {
  return [config, ...layers];
}

function artifactTypeOf({ artifactType }: ImageManifest): { readonly artifactType?: string } {
  return artifactType === undefined ? {} : { artifactType };
}

async function isThere(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}
