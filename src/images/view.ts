import { parseImageConfig, parseManifest } from "../oci/index.ts";
import type { StoredImage } from "../storage/index.ts";
import type { ImageDeps } from "./deps.ts";
import { repositoryOf } from "./find.ts";

type ViewDeps = Pick<ImageDeps, "store" | "pinned">;

/** An image as CRI shows it. */
export interface ImageView {
  readonly id: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  readonly sizeBytes: bigint;
  /** The user its containers run as: a number, or a name. */
  readonly user: { readonly is: "uid"; readonly uid: bigint } | { readonly is: "name"; readonly name: string };
  readonly pinned: boolean;
}

/** What CRI shows of a stored image. */
export async function viewOf(deps: ViewDeps, image: StoredImage): Promise<ImageView> {
  const config = parseImageConfig(await configBytes(deps, image));
  return {
    id: image.id,
    repoTags: image.names.filter((name) => !name.includes("@")).sort(),
    repoDigests: repoDigestsOf(image),
    sizeBytes: await deps.store.imageSize(image.id),
    user: userOf(config.config.User),
    pinned: deps.pinned.isPinned(image.names),
  };
}

/** Every repository of the image with every digest it is known by; for an image without a name, the one it had last. */
export function repoDigestsOf(image: StoredImage): readonly string[] {
  const names = image.names.length > 0 ? image.names : image.namesHistory.slice(0, 1);
  const repositories = new Set(names.map(repositoryOf));
  const given = names.filter((name) => name.includes("@"));
  const all = [...repositories].flatMap((repository) => image.digests.map((digest) => `${repository}@${digest}`));
  return [...new Set([...given, ...all])].sort();
}

/** The bytes of the image's config. */
export async function configBytes(deps: Pick<ImageDeps, "store">, image: StoredImage): Promise<Buffer> {
  return await deps.store.imageConfig(image.id);
}

/** The annotations of the image's manifest; only OCI manifests have them. */
export async function manifestAnnotations(
  deps: Pick<ImageDeps, "store">,
  image: StoredImage,
): Promise<Readonly<Record<string, string>>> {
  const bytes = await deps.store.imageManifest(image.id);
  if (bytes === undefined) return {};
  const manifest = parseManifest(bytes, undefined);
  return manifest.is === "image" ? manifest.annotations : {};
}

/** The number or name before a colon of an image's USER. */
function userOf(user: string): ImageView["user"] {
  const name = user.split(":")[0] ?? "";
  // Longer than any uid: then it can only be a name.
  return /^\d{1,10}$/.test(name) ? { is: "uid", uid: BigInt(name) } : { is: "name", name };
}
