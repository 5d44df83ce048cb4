import { Fault, type Logger, reasonOf, withStep } from "../base/index.ts";
import {
  checkLayersMatch,
  choosePlatform,
  type Descriptor,
  type Digest,
  type ImageConfig,
  type ImageManifest,
  type ImageReference,
  type IndexManifest,
  imageConfigMediaTypes,
  maxImageConfigBytes,
  type Platform,
  parseImageConfig,
  platformText,
  referenceText,
} from "../oci/index.ts";
import { downloadBlob } from "./blob.ts";
import { contentFault, RegistryFault, registryFailureOf } from "./failure.ts";
import { type FetchedManifest, fetchManifest } from "./fetch-manifest.ts";
import type { RegistryLimits } from "./limits.ts";
import { withRetries } from "./retry.ts";
import type { RegistrySession } from "./session.ts";
import { RegistrySource } from "./source.ts";

/** The manifest of an image or artifact, verified, and where its blobs are to be had. */
export interface ResolvedManifest {
  /** As it was asked for. */
  readonly reference: ImageReference;
  readonly source: RegistrySource;
  /** As received. */
  readonly manifestBytes: Buffer;
  readonly manifestDigest: Digest;
  readonly mediaType: string;
  readonly manifest: ImageManifest;
  /** The index that the reference named, when it named one; its digest is then the one users know. */
  readonly list?: { readonly bytes: Buffer; readonly digest: Digest; readonly mediaType: string };
}

/** A container image: with its config, of as many layers as the manifest. */
export interface ResolvedImage extends ResolvedManifest {
  readonly configBytes: Buffer;
  readonly config: ImageConfig;
}

export interface ResolveDeps {
  readonly limits: RegistryLimits;
  readonly log: Logger;
}

export interface ResolveRequest {
  readonly platform: Platform;
  readonly signal: AbortSignal;
}

/** An index may name indexes, but not without end. */
const maxIndexDepth = 3;

/**
 * Asks the endpoints in order until one has the image. Rejects with the last endpoint's failure (the registry's own), the
 * mirrors' in its message.
 */
export async function resolveManifest(
  deps: ResolveDeps,
  reference: ImageReference,
  sessions: readonly RegistrySession[],
  request: ResolveRequest,
): Promise<ResolvedManifest> {
  return tryInOrder(deps, reference, sessions, request, (session) => resolveAt(deps, reference, session, request));
}

/** As `resolveManifest`, with the config; an endpoint whose config is missing or wrong counts as failed. */
export async function resolveImage(
  deps: ResolveDeps,
  reference: ImageReference,
  sessions: readonly RegistrySession[],
  request: ResolveRequest,
): Promise<ResolvedImage> {
  return tryInOrder(deps, reference, sessions, request, async (session) => {
    const found = await resolveAt(deps, reference, session, request);
    return { ...found, ...(await fetchConfig(deps, new RegistrySource([session]), found.manifest, request.signal)) };
  });
}

async function tryInOrder<T>(
  { log }: ResolveDeps,
  reference: ImageReference,
  sessions: readonly RegistrySession[],
  { signal }: ResolveRequest,
  work: (session: RegistrySession) => Promise<T>,
): Promise<T & { readonly source: RegistrySource }> {
  const failures: { readonly at: string; readonly error: unknown }[] = [];
  for (const [index, session] of sessions.entries()) {
    const at = referenceText(session.endpoint.reference);
    try {
      const found = await work(session);
      log.info("image source chosen", { image: referenceText(reference), source: at });
      return { ...found, source: new RegistrySource([session, ...sessions.slice(index + 1)]) };
    } catch (error) {
      signal.throwIfAborted();
      failures.push({ at, error });
      if (index + 1 < sessions.length) log.warn("registry endpoint failed", { source: at, reason: reasonOf(error) });
    }
  }
  throw combined(failures);
}

function combined(failures: readonly { readonly at: string; readonly error: unknown }[]): unknown {
  const last = failures.at(-1);
  if (last === undefined) return new Fault("failed", "there is no endpoint to ask");
  if (failures.length === 1) return last.error;
  const mirrors = failures.slice(0, -1).map(({ at, error }) => `[${at}: ${reasonOf(error)}]`);
  const message = `${last.at}: ${reasonOf(last.error)} (mirrors failed before: ${mirrors.join(", ")})`;
  const failure = registryFailureOf(last.error);
  const code = last.error instanceof Fault ? last.error.code : "failed";
  const options = { cause: last.error };
  return failure === undefined ? new Fault(code, message, options) : new RegistryFault(code, message, failure, options);
}

async function resolveAt(
  deps: ResolveDeps,
  reference: ImageReference,
  session: RegistrySession,
  { platform, signal }: ResolveRequest,
): Promise<Omit<ResolvedManifest, "source">> {
  const fetch = (wanted: Pick<ImageReference, "tag" | "digest">) =>
    withRetries(policyAt(deps.limits, session), () => fetchManifest(session, wanted, signal), {
      log: deps.log,
      signal,
    });
  const first = await fetch(session.endpoint.reference);
  let current = first;
  for (let depth = 0; current.manifest.is === "index"; depth++) {
    if (depth === maxIndexDepth)
      throw contentFault(`${referenceText(reference)}: indexes nested too deeply`, "invalid");
    const entry = entryFor(current.manifest, platform, reference);
    current = checkedEntry(await fetch({ digest: entry.digest }), entry);
  }
  return {
    reference,
    manifestBytes: current.bytes,
    manifestDigest: current.digest,
    mediaType: current.manifest.mediaType,
    manifest: current.manifest,
    ...(first.manifest.is === "index" && {
      list: { bytes: first.bytes, digest: first.digest, mediaType: first.manifest.mediaType },
    }),
  };
}

function entryFor(index: IndexManifest, platform: Platform, reference: ImageReference): Descriptor {
  const entry = choosePlatform(index.entries, platform);
  if (entry !== undefined) return entry;
  const offered = index.entries.flatMap((other) =>
    other.platform === undefined ? [] : [platformText(other.platform)],
  );
  const list = [...new Set(offered)]
    .slice(0, 20)
    .map((text) => text.slice(0, 40))
    .join(", ");
  throw contentFault(
    `${referenceText(reference)}: no image found in the index for ${platformText(platform)}; it has ${JSON.stringify(list)}`,
    "not-found",
  );
}

function checkedEntry(fetched: FetchedManifest, entry: Descriptor): FetchedManifest {
  if (fetched.bytes.byteLength !== entry.size) {
    throw contentFault(`manifest ${entry.digest} has ${fetched.bytes.byteLength} bytes, its index says ${entry.size}`);
  }
  if (fetched.manifest.mediaType !== entry.mediaType) {
    const types = `${fetched.manifest.mediaType}, its index says ${entry.mediaType}`;
    throw contentFault(`manifest ${entry.digest} is of the type ${types}`, "invalid");
  }
  return fetched;
}

async function fetchConfig(
  deps: ResolveDeps,
  source: RegistrySource,
  manifest: ImageManifest,
  signal: AbortSignal,
): Promise<Pick<ResolvedImage, "configBytes" | "config">> {
  const { config: descriptor } = manifest;
  if (!imageConfigMediaTypes.includes(descriptor.mediaType)) {
    const type = JSON.stringify((manifest.artifactType ?? descriptor.mediaType).slice(0, 128));
    const message = `it is an OCI artifact of the type ${type}, not a container image`;
    throw new RegistryFault("invalid", message, { is: "artifact" });
  }
  if (descriptor.size > maxImageConfigBytes) {
    const message = `its config has ${descriptor.size} bytes, more than the ${maxImageConfigBytes} that are read`;
    throw contentFault(message, "exhausted");
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of downloadBlob(deps, source, descriptor, { signal })) chunks.push(chunk);
  const configBytes = Buffer.concat(chunks);
  try {
    const config = parseImageConfig(configBytes);
    checkLayersMatch(manifest, config);
    return { configBytes, config };
  } catch (error) {
    throw withStep(`reading the image config ${descriptor.digest}`, error);
  }
}

function policyAt(limits: RegistryLimits, session: RegistrySession): RegistryLimits {
  return session.endpoint.isMirror ? { ...limits, attempts: limits.mirrorAttempts } : limits;
}
