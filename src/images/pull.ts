import { createHash } from "node:crypto";
import { Fault, isFault, nsFromRfc3339, withStep } from "../base/index.ts";
import { checkLayersMatch, type Digest, digestHex, type ImageReference, referenceText } from "../oci/index.ts";
import type { Credential, ResolvedImage } from "../registry/index.ts";
import type { ImageDeps } from "./deps.ts";
import { planLayers } from "./layers.ts";
import { watchProgress } from "./pull-progress.ts";

export interface PullRequest {
  readonly image: string;
  readonly auth?: Credential;
  /** Namespace of the pod that wants it; "" when it is not said. */
  readonly namespace: string;
  readonly signal?: AbortSignal;
}

/**
 * Pulls an image and resolves with its id. Identical pulls at the same time are one, and it ends early only when all its callers
 * have left. Rejects with the step, the thing and the registry's words; nothing is left of it then.
 */
export async function pullImage(deps: ImageDeps, request: PullRequest): Promise<string> {
  if (request.image === "") throw new Fault("invalid", "no image specified");
  return await deps.pulls.join(keyOf(request), (signal) => pullFirst(deps, request, signal), request.signal);
}

/** Requests are the same when image, credential and namespace are; the key does not show the credential. */
function keyOf({ image, auth, namespace }: PullRequest): string {
  const secret = auth === undefined ? "" : JSON.stringify([auth.username, auth.password, auth.identityToken ?? ""]);
  return createHash("sha256")
    .update(JSON.stringify([image, secret, namespace]))
    .digest("hex");
}

/** Pulls the first candidate that can be had; rejects with the last one's failure. */
async function pullFirst(deps: ImageDeps, request: PullRequest, signal: AbortSignal): Promise<string> {
  let failure: unknown = new Fault("invalid", `no candidates for ${request.image}`);
  for (const reference of deps.candidates(request.image)) {
    try {
      return await pullReference(deps, reference, request.auth, signal);
    } catch (error) {
      signal.throwIfAborted();
      failure = error;
    }
  }
  // The kubelet knows this word, and backs off.
  if (isFault(failure, "unavailable")) throw withStep("RegistryUnavailable", failure);
  throw withStep(`unable to pull image ${request.image}`, failure);
}

async function pullReference(
  deps: ImageDeps,
  reference: ImageReference,
  auth: Credential | undefined,
  signal: AbortSignal,
): Promise<string> {
  const name = referenceText(reference);
  const log = deps.log.with({ image: name });
  using underway = deps.underway.begin(name);
  using progress = watchProgress({ timeoutMs: deps.progressTimeoutMs, signal, underway, log });
  const wanted = { platform: deps.platform, signal: progress.signal, ...(auth === undefined ? {} : { auth }) };
  const resolved = await progress.during(() => deps.registry.resolve(reference, wanted));
  checkLayersMatch(resolved.manifest, resolved.config);
  const layers = planLayers(deps.store, resolved.manifest.layers, resolved.config.rootfs.diffIds);
  underway.planned(resolved.manifest.layers);
  log.debug("image resolved", { digest: resolved.manifestDigest, layers: layers.length });
  const there = (layer: Digest) => {
    underway.there(layer);
    log.debug("layer is there", { layer, progress: underway.summary() });
  };
  const fetching = { source: resolved.source, signal: progress.signal, counted: progress.counted, there };
  return await deps.layers.fetchAll(layers, fetching, () => recordImage(deps, name, resolved, layers.at(-1)?.id));
}

/** The commit point of a pull: the image's record, with its manifests and config as data. */
async function recordImage(
  deps: ImageDeps,
  name: string,
  resolved: ResolvedImage,
  topLayer: string | undefined,
): Promise<string> {
  const { manifest, manifestBytes, manifestDigest, list, config, configBytes } = resolved;
  const id = digestHex(manifest.config.digest);
  const createdNs = buildTimeOf(config.created);
  await deps.store.createImage({
    id,
    names: [name],
    digest: manifestDigest,
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
