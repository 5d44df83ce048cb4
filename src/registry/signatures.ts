import { fileURLToPath } from "node:url";
import { errnoOf, Fault, type Logger, reasonOf, withStep } from "../base/index.ts";
import { readBounded } from "../host/index.ts";
import {
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestHex,
  type ImageSignature,
  maxSignatureBytes,
  maxSignatures,
} from "../oci/index.ts";
import { downloadBlob } from "./blob.ts";
import { readBody } from "./body.ts";
import { contentFault, registryFailureOf } from "./failure.ts";
import { fetchManifest } from "./fetch-manifest.ts";
import { getFollowing } from "./follow.ts";
import type { RegistryLimits } from "./limits.ts";
import { hasAttachments, lookasideOf, type SignaturePlaces } from "./registries-d.ts";
import { withRetries } from "./retry.ts";
import type { RegistrySession } from "./session.ts";
import { RegistrySource } from "./source.ts";
import { statusFault } from "./status-fault.ts";

export interface SignaturesDeps {
  readonly limits: RegistryLimits;
  readonly log: Logger;
  readonly userAgent: string;
  readonly places: SignaturePlaces;
}

/** Where simple signatures are for want of anything else. */
const usualLookaside = "file:///var/lib/containers/sigstore";
/** Of all signatures of an image together. */
const maxTotalBytes = 32 * 1024 * 1024;

/**
 * All signatures of a manifest: those of the lookaside, then the sigstore attachments of the registry that the image comes from, where registries.d
 * says that it has them. None of them is verified. Rejects when they cannot be read, since the one that counts might be missing.
 */
export async function readSignatures(
  deps: SignaturesDeps,
  source: RegistrySource,
  manifestDigest: Digest,
  signal: AbortSignal,
): Promise<readonly ImageSignature[]> {
  const [session] = RegistrySource.sessionsOf(source);
  const { reference } = session.endpoint;
  const budget = new Budget();
  const simple = await fromLookaside(deps, session, { manifestDigest, budget, signal });
  if (!hasAttachments(deps.places, reference)) return simple;
  return [...simple, ...(await fromAttachments(deps, session, { manifestDigest, budget, signal }))];
}

interface Wanted {
  readonly manifestDigest: Digest;
  readonly budget: Budget;
  readonly signal: AbortSignal;
}

/** Keeps the signatures of one image within bounds. */
class Budget {
  #bytes = 0;
  #count = 0;

  take(bytes: number): void {
    this.#bytes += bytes;
    this.#count += 1;
    if (this.#count > maxSignatures)
      throw new Fault("exhausted", `the image has more than ${maxSignatures} signatures`);
    if (this.#bytes > maxTotalBytes)
      throw new Fault("exhausted", `the image's signatures have more than ${maxTotalBytes} bytes`);
  }
}

async function fromLookaside(
  deps: SignaturesDeps,
  session: RegistrySession,
  wanted: Wanted,
): Promise<readonly ImageSignature[]> {
  const { reference } = session.endpoint;
  const base = lookasideOf(deps.places, reference) || usualLookaside;
  if (!URL.canParse(base))
    throw new Fault("invalid", `registries.d: the lookaside ${JSON.stringify(base)} is not a URL`);
  const { manifestDigest, budget } = wanted;
  const folder = `${base.replace(/\/+$/, "")}/${reference.path}@${digestAlgorithm(manifestDigest)}=${digestHex(manifestDigest)}`;
  const found: ImageSignature[] = [];
  for (let number = 1; ; number++) {
    const bytes = await readFromLookaside(deps, session, new URL(`${folder}/signature-${number}`), wanted.signal);
    if (bytes === undefined) return found;
    budget.take(bytes.length);
    found.push({ is: "simple", bytes });
  }
}

/** Undefined when there is no such signature. */
async function readFromLookaside(
  deps: SignaturesDeps,
  session: RegistrySession,
  url: URL,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  const what = `reading the signature ${url.host}${url.pathname}`;
  if (url.protocol === "file:") {
    try {
      return await readBounded(fileURLToPath(url), maxSignatureBytes);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === "ENOENT" || errno === "ENOTDIR") return undefined;
      throw withStep(what, error);
    }
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new Fault(
      "invalid",
      `registries.d: a lookaside by ${url.protocol} is not supported, only file:, http: and https:`,
    );
  }
  const read = async () => {
    const wire = await session.wire();
    const headers = { "user-agent": deps.userAgent };
    const patience = deps.limits;
    const response = await getFollowing(url, { headers, authorization: undefined, wire, patience, signal });
    if (response.status === 404) {
      response.close();
      return undefined;
    }
    if (response.status !== 200) throw await statusFault(response, { what, notFound: "", secrets: [] });
    return await readBody(response, maxSignatureBytes, "the signature");
  };
  return await withRetries(deps.limits, read, { log: deps.log, signal });
}

/** Cosign puts the signatures of a manifest beside it, as layers of an image under a tag that is made of its digest. */
async function fromAttachments(
  deps: SignaturesDeps,
  session: RegistrySession,
  wanted: Wanted,
): Promise<readonly ImageSignature[]> {
  const { manifestDigest, budget, signal } = wanted;
  const tag = `${manifestDigest.replace(":", "-")}.sig`;
  const layers = await attachedLayers(deps, session, tag, signal);
  const found: ImageSignature[] = [];
  for (const layer of layers) {
    if (layer.size > maxSignatureBytes) {
      throw contentFault(
        `the signature ${layer.digest} has ${layer.size} bytes, more than the ${maxSignatureBytes} that are read`,
        "exhausted",
      );
    }
    budget.take(layer.size);
    const chunks: Uint8Array[] = [];
    for await (const chunk of downloadBlob(deps, new RegistrySource([session]), layer, { signal })) chunks.push(chunk);
    const { mediaType, annotations = {} } = layer;
    found.push({ is: "sigstore", mediaType, payload: Buffer.concat(chunks), annotations });
  }
  return found;
}

async function attachedLayers(
  deps: SignaturesDeps,
  session: RegistrySession,
  tag: string,
  signal: AbortSignal,
): Promise<readonly Descriptor[]> {
  try {
    const read = () => fetchManifest(session, { tag }, signal);
    const { manifest } = await withRetries(deps.limits, read, { log: deps.log, signal });
    if (manifest.is === "image") return manifest.layers;
    throw contentFault(`the signatures under the tag ${tag} are a list of manifests`, "invalid");
  } catch (error) {
    signal.throwIfAborted();
    const failure = registryFailureOf(error);
    if (failure?.is === "status" && failure.status === 404) return [];
    throw new Fault(
      error instanceof Fault ? error.code : "failed",
      `reading the image's sigstore attachments: ${reasonOf(error)}`,
      { cause: error },
    );
  }
}
