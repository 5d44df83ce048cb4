import { Fault, isFault } from "../base/index.ts";
import { referenceText } from "../oci/index.ts";
import type { StoredImage } from "../storage/index.ts";
import type { ImageDeps } from "./deps.ts";

type FindDeps = Pick<ImageDeps, "store" | "candidates">;

/** What an image was found by: its id, or one of its names. */
export interface FoundImage {
  readonly image: StoredImage;
  readonly by: "id" | "name";
  /** The full name it was found by. */
  readonly name?: string;
}

const shortestIdPrefix = 3;

/**
 * The local image that `text` means: an id, at least three digits of one, or a name (the first of its candidates that is here).
 * Undefined when there is none. Rejects a text that can be neither.
 */
export async function findImage(deps: FindDeps, text: string): Promise<FoundImage | undefined> {
  if (text === "") throw new Fault("invalid", "no image specified");
  const id = text.startsWith("sha256:") ? text.slice("sha256:".length) : text;
  const looksLikeId = /^[0-9a-f]+$/.test(id) && id.length >= shortestIdPrefix && id.length <= 64;
  if (looksLikeId) {
    const image = await byId(deps, id);
    if (image !== undefined) return { image, by: "id" };
    if (id.length === 64) return undefined;
  }
  try {
    return await byName(deps, text);
  } catch (error) {
    if (looksLikeId && isFault(error, "invalid")) return undefined;
    throw error;
  }
}

async function byId(deps: FindDeps, id: string): Promise<StoredImage | undefined> {
  if (id.length === 64) return await deps.store.image(id);
  const found = (await deps.store.images()).filter((image) => image.id.startsWith(id));
  return found.length === 1 ? found[0] : undefined;
}

async function byName(deps: FindDeps, text: string): Promise<FoundImage | undefined> {
  const images = await deps.store.images();
  for (const reference of deps.candidates(text)) {
    const name = referenceText(reference);
    const image = images.find(({ names }) => names.includes(name));
    if (image !== undefined) return { image, by: "name", name };
    if (reference.digest === undefined) continue;
    const repository = `${reference.domain}/${reference.path}`;
    const digest: string = reference.digest;
    const byDigest = images.find((candidate) => hasDigest(candidate, digest) && hasRepository(candidate, repository));
    if (byDigest !== undefined) return { image: byDigest, by: "name", name };
  }
  return undefined;
}

function hasDigest(image: StoredImage, digest: string): boolean {
  return image.digests.some((known) => known === digest);
}

function hasRepository(image: StoredImage, repository: string): boolean {
  return [...image.names, ...image.namesHistory].some((name) => repositoryOf(name) === repository);
}

/** `host/repo` of `host/repo:tag` or `host/repo@digest`. */
export function repositoryOf(name: string): string {
  const bare = name.split("@")[0] ?? name;
  const colon = bare.lastIndexOf(":");
  return colon > bare.lastIndexOf("/") ? bare.slice(0, colon) : bare;
}
