import { createHash } from "node:crypto";
import { Fault, isFault, nsFromRfc3339, reasonOf, withStep } from "../base/index.ts";
import {
  checkLayersMatch,
  type Descriptor,
  type Digest,
  digestHex,
  type ImageReference,
  type ImageSignature,
  referenceText,
  signatureBlob,
  withDefaultTag,
} from "../oci/index.ts";
import {
  type Credential,
  type CredentialSource,
  credentialsInFile,
  type ResolvedImage,
  type ResolvedManifest,
  type ResolveOptions,
  registryFailureOf,
} from "../registry/index.ts";
import { isSignatureRefusal } from "../signatures/index.ts";
import { storeArtifact } from "./artifacts.ts";
import { decryptLayer, isEncrypted, type LayerSecret, openSecret } from "./decrypt-layer.ts";
import { readDecryptionKeys } from "./decryption-keys.ts";
import type { ImageDeps } from "./deps.ts";
import { type FetchOptions, type LayerNews, planLayers } from "./layers.ts";
import { withNamespacedAuth } from "./namespaced-auth.ts";
import { type PullProgress, watchProgress } from "./pull-progress.ts";
import { requireTrustedPull } from "./trust.ts";

export interface PullRequest {
  readonly image: string;
  readonly auth?: Credential;
  /** Namespace of the pod that wants it; "" when it is not said. */
  readonly namespace: string;
  /** An auth file that counts in the place of the usual ones. */
  readonly authFile?: string;
  /** Refuses a container image. */
  readonly only?: "artifact";
  readonly signal?: AbortSignal;
}

/**
 * Pulls an image, or else an OCI artifact, and resolves with its id. Identical pulls at the same time are one, and it ends early only when all its callers
 * have left. Rejects with the step, the thing and the registry's words; nothing is left of it then.
 */
export async function pullImage(deps: ImageDeps, request: PullRequest): Promise<string> {
  if (request.image === "") throw new Fault("invalid", "no image specified");
  return await deps.pulls.join(keyOf(request), (signal) => pullCounted(deps, request, signal), request.signal);
}

/** Requests are the same when image, credential and namespace are; the key does not show the credential. */
function keyOf({ image, auth, namespace, only, authFile }: PullRequest): string {
  const secret = auth === undefined ? "" : JSON.stringify([auth.username, auth.password, auth.identityToken ?? ""]);
  return createHash("sha256")
    .update(JSON.stringify([image, secret, namespace, only ?? "", authFile ?? ""]))
    .digest("hex");
}

async function pullCounted(deps: ImageDeps, request: PullRequest, signal: AbortSignal): Promise<string> {
  try {
    const id = await pullFirst(deps, request, signal);
    deps.news?.pulled();
    return id;
  } catch (error) {
    deps.news?.pullFailed(reasonOf(error));
    throw error;
  }
}

/** With the credentials of its namespace, where it has any. */
type WithCredentials = PullRequest & { readonly credentials?: CredentialSource };

/** Pulls the first candidate that can be had; rejects with the last one's failure. */
async function pullFirst(deps: ImageDeps, request: PullRequest, signal: AbortSignal): Promise<string> {
  const { authFile } = request;
  const named = authFile === undefined ? undefined : credentialsInFile(authFile, deps.log);
  return await withNamespacedAuth(deps.namespacedAuth, request, (left) => {
    const credentials = left ?? named;
    return pullFirstCandidate(deps, credentials === undefined ? request : { ...request, credentials }, signal);
  });
}

async function pullFirstCandidate(deps: ImageDeps, request: WithCredentials, signal: AbortSignal): Promise<string> {
  let failure: unknown = new Fault("invalid", `no candidates for ${request.image}`);
  for (const reference of deps.candidates(request.image)) {
    try {
      return await pullReference(deps, reference, request, signal);
    } catch (error) {
      signal.throwIfAborted();
      failure = error;
    }
  }
  // The kubelet knows these words, and tells them its user.
  if (isSignatureRefusal(failure))
    throw withStep(`SignatureValidationFailed: unable to pull image ${request.image}`, failure);
  if (isFault(failure, "unavailable")) throw withStep("RegistryUnavailable", failure);
  throw withStep(`unable to pull image ${request.image}`, failure);
}

async function pullReference(
  deps: ImageDeps,
  reference: ImageReference,
  { auth, credentials, namespace, only }: WithCredentials,
  signal: AbortSignal,
): Promise<string> {
  const name = referenceText(reference);
  const log = deps.log.with({ image: name });
  using underway = deps.underway.begin(name);
  using progress = watchProgress({ timeoutMs: deps.progressTimeoutMs, signal, underway, log });
  const checking = { namespace, signal: progress.signal };
  const wanted = {
    platform: deps.platform,
    signal: progress.signal,
    ...(auth && { auth }),
    ...(credentials && { credentials }),
  };
  const resolved = await resolveImage(deps, reference, { wanted, progress });
  if (!("config" in resolved)) {
    await progress.during(() => requireTrustedPull(deps, resolved, checking));
    return await storeArtifact(deps, resolved, { reference: withDefaultTag(reference), ...progress });
  }
  if (only === "artifact") {
    throw new Fault("invalid", `${name} is a container image, not an OCI artifact`);
  }
  const signatures = await progress.during(() => requireTrustedPull(deps, resolved, checking));
  checkLayersMatch(resolved.manifest, resolved.config);
  const layers = planLayers(deps.store, resolved.manifest.layers, resolved.config.rootfs.diffIds);
  underway.planned(resolved.manifest.layers);
  log.debug("image resolved", { digest: resolved.manifestDigest, layers: layers.length });
  const there = (layer: Digest) => {
    underway.there(layer);
    log.debug("layer is there", { layer, progress: underway.summary() });
  };
  const decryptionOf = await decryptionsOf(deps, resolved.manifest.layers);
  const { signal: watched, counted } = progress;
  const news = newsOf(deps, name);
  const fetching = { source: resolved.source, signal: watched, counted, decryptionOf, there, news };
  return await deps.layers.fetchAll(layers, fetching, () =>
    recordImage(deps, name, resolved, { topLayer: layers.at(-1)?.id, signatures }),
  );
}

/**
 * Decrypts the layers that are encrypted, with the keys of the node. Rejects when one has no key here: also of a layer whose content the store has
 * from another image, which is no leave to use this one.
 */
async function decryptionsOf(
  { decryptionKeysPath }: Pick<ImageDeps, "decryptionKeysPath">,
  layers: readonly Descriptor[],
): Promise<FetchOptions["decryptionOf"]> {
  const encrypted = layers.filter(isEncrypted);
  if (encrypted.length === 0) return () => undefined;
  const keys = await readDecryptionKeys(decryptionKeysPath);
  const secrets = new Map<Descriptor, LayerSecret>();
  for (const layer of encrypted) {
    try {
      secrets.set(layer, await openSecret(layer, keys));
    } catch (error) {
      throw withStep(`layer ${layer.digest}`, error);
    }
  }
  return (layer) => {
    const secret = secrets.get(layer);
    return secret === undefined ? undefined : (bytes) => decryptLayer(bytes, secret);
  };
}

/** What a reference means at its registry: an image with its config, or else an artifact. */
async function resolveImage(
  { registry }: Pick<ImageDeps, "registry">,
  reference: ImageReference,
  { wanted, progress }: { readonly wanted: ResolveOptions; readonly progress: PullProgress },
): Promise<ResolvedImage | ResolvedManifest> {
  try {
    return await progress.during(() => registry.resolve(reference, wanted));
  } catch (error) {
    if (registryFailureOf(error)?.is !== "artifact") throw error;
    return await progress.during(() => registry.resolveManifest(reference, wanted));
  }
}

function newsOf({ news }: ImageDeps, name: string): LayerNews | undefined {
  if (news === undefined) return undefined;
  return { reused: (layer) => news.layerReused(name, layer), fetched: (blob) => news.layerFetched(blob) };
}

/** The commit point of a pull: the image's record, with its manifests and config as data. */
async function recordImage(
  deps: ImageDeps,
  name: string,
  resolved: ResolvedImage,
  { topLayer, signatures }: { readonly topLayer: string | undefined; readonly signatures: readonly ImageSignature[] },
): Promise<string> {
  const { manifest, manifestBytes, manifestDigest, list, config, configBytes } = resolved;
  const id = digestHex(manifest.config.digest);
  const createdNs = buildTimeOf(config.created);
  await deps.store.createImage({
    id,
    names: [name],
    digest: manifestDigest,
    signatures: signatures.map(signatureBlob),
    ...(createdNs === undefined ? {} : { createdNs }),
    ...(topLayer === undefined ? {} : { layer: topLayer }),
    data: [
      { key: manifest.config.digest, bytes: configBytes },
      ...(list === undefined ? [] : [{ key: `manifest-${list.digest}`, bytes: list.bytes }]),
      { key: `manifest-${manifestDigest}`, bytes: manifestBytes },
      { key: "manifest", bytes: manifestBytes },
    ],
  });
  return id;
}

/** When the image was built, which podman shows as its age; undefined when its config does not say so in a way that can be read. */
function buildTimeOf(created: string | undefined): bigint | undefined {
  try {
    return created === undefined ? undefined : nsFromRfc3339(created);
  } catch {
    return undefined;
  }
}
