import { Fault } from "../base/index.ts";
import { readBounded } from "../host/index.ts";
import {
  type Digest,
  type ImageReference,
  maxManifestBytes,
  parseManifest,
  parseReference,
  parseSignatureBlob,
  withDefaultTag,
} from "../oci/index.ts";
import type { ResolvedManifest } from "../registry/index.ts";
import {
  configuredPolicy,
  loadPolicy,
  requireTrusted,
  type SignaturePolicy,
  SignatureRefusal,
  signatureRefused,
} from "../signatures/index.ts";
import type { StoredArtifact, StoredImage } from "../storage/index.ts";
import type { ImageDeps } from "./deps.ts";

type TrustDeps = Pick<ImageDeps, "store" | "policies">;

/**
 * Requires that the signature policy allows what a registry has sent, before more of it is fetched; resolves with its signatures, for the store.
 * Rejects with SignatureRefusal.
 */
export async function requireTrustedPull(
  deps: Pick<ImageDeps, "registry" | "policies">,
  resolved: ResolvedManifest,
  { namespace, signal }: { readonly namespace: string; readonly signal: AbortSignal },
) {
  const { reference, manifestBytes, manifestDigest, source } = resolved;
  const policy = await loadPolicy(deps.policies, namespace);
  const signatures = await deps.registry.signatures(source, manifestDigest, signal);
  try {
    await requireTrusted(policy, { reference: withDefaultTag(reference), manifest: manifestBytes, signatures });
    return signatures;
  } catch (error) {
    throw signatureRefused("Source image rejected", error);
  }
}

/**
 * Requires that an image of the store is one that a pod of `namespace` may use under the name that its user gave, where a policy is configured
 * (reference: annotations-and-features.md 10): it may have been pulled for somebody else, or by another program. Rejects in the words that the
 * kubelet looks for.
 */
export async function requireTrustedUse(
  deps: TrustDeps,
  image: StoredImage,
  { namespace, userSpecified }: { readonly namespace: string; readonly userSpecified: string },
): Promise<void> {
  const policy = await configuredPolicy(deps.policies, namespace);
  if (policy === undefined) return;
  if (userSpecified === "") {
    throw new SignatureRefusal("user specified image not specified, cannot verify image signature");
  }
  try {
    await requireStored(deps, image, { policy, reference: withDefaultTag(withoutBoth(parseReference(userSpecified))) });
  } catch (error) {
    const step = `checking signature of "${userSpecified}": verifying signatures: SignatureValidationFailed`;
    throw signatureRefused(step, error);
  }
}

/**
 * The same of an artifact whose files a pod is to get. The store keeps no signatures of artifacts: where the policy asks for one, it is
 * refused.
 */
export async function requireTrustedArtifact(
  deps: Pick<ImageDeps, "policies">,
  artifact: StoredArtifact,
  { namespace, userSpecified }: { readonly namespace: string; readonly userSpecified: string },
): Promise<void> {
  const policy = await configuredPolicy(deps.policies, namespace);
  if (policy === undefined) return;
  try {
    if (userSpecified === "") throw new SignatureRefusal("user specified image not specified");
    const reference = withDefaultTag(withoutBoth(parseReference(userSpecified)));
    const path = artifact.pathOf({ mediaType: "", digest: artifact.digest, size: 0 });
    await requireTrusted(policy, { reference, manifest: await readBounded(path, maxManifestBytes), signatures: [] });
  } catch (error) {
    const step = `checking signature of artifact "${userSpecified}": SignatureValidationFailed`;
    throw signatureRefused(step, error);
  }
}

/** Of an image with several manifests, such as compressed in several ways, one that may be used is enough. */
async function requireStored(
  { store }: Pick<ImageDeps, "store">,
  image: StoredImage,
  { policy, reference }: { readonly policy: SignaturePolicy; readonly reference: ImageReference },
): Promise<void> {
  const known = await store.imageSignatures(image.id);
  let failure: unknown;
  for (const digest of image.digests) {
    try {
      const manifest = await manifestOf(store, image, digest);
      if (manifest === undefined) continue;
      const signatures = (known.get(digest) ?? []).map(parseSignatureBlob);
      await requireTrusted(policy, { reference, manifest, signatures });
      return;
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure ?? new Fault("corrupt", `image ${image.id} has no manifest in the store; pull it again`);
}

/** The bytes of a manifest of the image; undefined for a list of manifests, which no signature is for. */
async function manifestOf(
  store: ImageDeps["store"],
  image: StoredImage,
  digest: Digest,
): Promise<Uint8Array | undefined> {
  const bytes = (await store.imageData(image.id, `manifest-${digest}`)) ?? (await manifestWith(store, image, digest));
  if (bytes === undefined) return undefined;
  return parseManifest(bytes, undefined).is === "image" ? bytes : undefined;
}

async function manifestWith(
  store: ImageDeps["store"],
  image: StoredImage,
  digest: Digest,
): Promise<Buffer | undefined> {
  return image.digest === digest ? await store.imageManifest(image.id) : undefined;
}

/** With a tag and a digest, the digest counts. */
function withoutBoth({ tag, digest, ...name }: ImageReference): ImageReference {
  if (digest !== undefined) return { ...name, digest };
  return tag === undefined ? name : { ...name, tag };
}
