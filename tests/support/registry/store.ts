import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { digestOf, type FixtureDigest, readLayout } from "../fixtures/index.ts";
import { servedAs } from "./names.ts";

export interface StoredManifest {
  readonly digest: FixtureDigest;
  readonly mediaType: string;
  readonly bytes: Buffer;
}

/** What a registry serves: fixture images from a folder, and in memory what clients push. */
export class RegistryStore {
  readonly #tags = new Map<string, FixtureDigest>();
  readonly #manifests = new Map<FixtureDigest, StoredManifest>();
  readonly #pushed = new Map<FixtureDigest, Buffer>();
  readonly #blobFolder: string | undefined;

  private constructor(blobFolder: string | undefined) {
    this.#blobFolder = blobFolder;
  }

  /** A store over an OCI image layout whose images are named in full; an empty one without a folder. */
  static async open(folder?: string): Promise<RegistryStore> {
    const store = new RegistryStore(folder === undefined ? undefined : join(folder, "blobs", "sha256"));
    if (folder === undefined) return store;
    for (const [name, { digest, mediaType }] of await readLayout(folder)) {
      const { repository, tag } = servedAs(name);
      store.#tags.set(`${repository}:${tag}`, digest);
      await store.#learn(digest, mediaType);
    }
    return store;
  }

  /** A manifest by tag or digest. A repository that is not known has none. */
  manifest(repository: string, reference: string): StoredManifest | undefined {
    const digest = isDigest(reference) ? reference : this.#tags.get(`${repository}:${reference}`);
    return digest === undefined ? undefined : this.#manifests.get(digest);
  }

  async blob(digest: string): Promise<Buffer | undefined> {
    if (!isDigest(digest)) return undefined;
    const pushed = this.#pushed.get(digest);
    if (pushed !== undefined || this.#blobFolder === undefined) return pushed;
    return readFile(join(this.#blobFolder, digest.slice("sha256:".length))).catch(() => undefined);
  }

  tags(repository: string): string[] {
    const own = [...this.#tags.keys()].filter((name) => name.startsWith(`${repository}:`));
    return own.map((name) => name.slice(repository.length + 1)).toSorted();
  }

  putBlob(bytes: Buffer): FixtureDigest {
    const digest = digestOf(bytes);
    this.#pushed.set(digest, bytes);
    return digest;
  }

  putManifest(repository: string, reference: string, mediaType: string, bytes: Buffer): FixtureDigest {
    const digest = digestOf(bytes);
    this.#manifests.set(digest, { digest, mediaType, bytes });
    if (!isDigest(reference)) this.#tags.set(`${repository}:${reference}`, digest);
    return digest;
  }

  /** Takes in a manifest of the folder, and those that it lists. */
  async #learn(digest: FixtureDigest, mediaType: string): Promise<void> {
    const bytes = await this.blob(digest);
    if (bytes === undefined) throw new Error(`the image layout lacks blob ${digest}`);
    this.#manifests.set(digest, { digest, mediaType, bytes });
    const { manifests = [] } = JSON.parse(bytes.toString()) as {
      manifests?: { digest: FixtureDigest; mediaType: string }[];
    };
    for (const entry of manifests) await this.#learn(entry.digest, entry.mediaType);
  }
}

function isDigest(text: string): text is FixtureDigest {
  return /^sha256:[0-9a-f]{64}$/.test(text);
}
