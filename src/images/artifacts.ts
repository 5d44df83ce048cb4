import { type Digest, digestHex, type ImageReference, referenceText } from "../oci/index.ts";
import type { ResolvedManifest } from "../registry/index.ts";
import type { StoredArtifact } from "../storage/index.ts";
import type { ImageDeps } from "./deps.ts";
import { repositoryOf } from "./find.ts";
import type { ImageView } from "./view.ts";

/** A file of an artifact. */
export interface ArtifactFile {
  /** A path; from the artifact's manifest, so that it may be anything. */
  readonly name: string;
  /** Where it is on the host. */
  readonly path: string;
}

/** How an artifact's layers say which files they are, the first counts. */
const nameAnnotations = ["org.opencontainers.image.title", "org.cncf.model.filepath"];
const shortestIdPrefix = 3;

/** The local artifact that `text` means: its digest or three digits of it at least, a name, or a name with the digest. Undefined when there is none. */
export async function findArtifact(
  deps: Pick<ImageDeps, "artifacts" | "candidates">,
  text: string,
): Promise<StoredArtifact | undefined> {
  const all = await deps.artifacts.list();
  if (all.length === 0) return undefined;
  const id = text.startsWith("sha256:") ? text.slice("sha256:".length) : text;
  if (/^[0-9a-f]+$/.test(id) && id.length >= shortestIdPrefix && id.length <= 64) {
    const [found, ...others] = all.filter(({ digest }) => digestHex(digest).startsWith(id));
    if (found !== undefined && others.every(({ digest }) => digest === found.digest)) return found;
    if (id.length === 64) return undefined;
  }
  const names = candidateNames(deps, text);
  return (
    all.find(({ refName }) => refName !== "" && (refName === text || names.includes(refName))) ??
    all.find((artifact) => names.includes(nameWithDigest(artifact)))
  );
}

/** Fetches an artifact, unless an additional store has it already; resolves with its id. Its manifest has been allowed by the signature policy. */
export async function storeArtifact(
  deps: Pick<ImageDeps, "artifacts" | "registry">,
  resolved: ResolvedManifest,
  { reference, signal, counted }: StoreOptions,
): Promise<string> {
  const { manifest, manifestBytes, manifestDigest, source } = resolved;
  const refName = referenceText(reference);
  const local = await deps.artifacts.list();
  const isThere = local.some((each) => each.isReadOnly && each.refName === refName && each.digest === manifestDigest);
  if (isThere) return digestHex(manifestDigest);
  const { digest } = await deps.artifacts.put({
    reference,
    manifest,
    manifestBytes,
    digest: manifestDigest,
    blob: (descriptor) => counted(descriptor.digest, deps.registry.blob(source, descriptor, { signal })),
  });
  return digestHex(digest);
}

interface StoreOptions {
  readonly reference: ImageReference;
  readonly signal: AbortSignal;
  readonly counted: (layer: Digest, bytes: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;
}

/** An artifact as CRI shows it. */
export function artifactView(deps: Pick<ImageDeps, "pinned">, artifact: StoredArtifact): ImageView {
  const { refName, digest, sizeBytes, isReadOnly } = artifact;
  const isTag = refName.includes("/") && !refName.includes("@");
  const withDigest = nameWithDigest(artifact);
  return {
    id: digestHex(digest),
    repoTags: isTag ? [refName] : [],
    repoDigests: [withDigest],
    sizeBytes,
    user: { is: "name", name: "" },
    pinned: isReadOnly || deps.pinned.isPinned([refName, withDigest]),
  };
}

/** The named files of an artifact, and how many layers have no name. */
export function artifactFiles({ manifest, pathOf }: StoredArtifact): {
  readonly files: readonly ArtifactFile[];
  readonly unnamed: number;
} {
  const files = manifest.layers.flatMap((layer) => {
    const name = nameAnnotations.map((key) => layer.annotations?.[key] ?? "").find((text) => text !== "");
    return name === undefined ? [] : [{ name, path: pathOf(layer) }];
  });
  return { files, unnamed: manifest.layers.length - files.length };
}

/** A name without a registry says nothing. */
function nameWithDigest({ refName, digest }: StoredArtifact): string {
  return `${refName.includes("/") ? repositoryOf(refName) : "unknown"}@${digest}`;
}

function candidateNames(deps: Pick<ImageDeps, "candidates">, text: string): readonly string[] {
  try {
    return deps.candidates(text).map(referenceText);
  } catch {
    return []; // no name; the look-up of images says so
  }
}
