import type { Logger } from "../base/index.ts";
import type { Descriptor, Digest, ImageReference, ImageSignature, Platform } from "../oci/index.ts";
import { type BlobOptions, downloadBlob } from "./blob.ts";
import type { Credential } from "./credential.ts";
import type { CredentialSource } from "./credentials.ts";
import { endpointsFor } from "./endpoints.ts";
import { defaultLimits, type RegistryLimits } from "./limits.ts";
import { proxySettings } from "./proxy.ts";
import type { RegistriesConfig } from "./registries-conf.ts";
import { noSignaturePlaces, type SignaturePlaces } from "./registries-d.ts";
import { remembered } from "./remembered.ts";
import { type ResolvedImage, type ResolvedManifest, resolveImage, resolveManifest } from "./resolve.ts";
import { type KnownSchemes, RegistrySession } from "./session.ts";
import { readSignatures } from "./signatures.ts";
import type { RegistrySource } from "./source.ts";
import { TokenCache } from "./tokens.ts";
import { createWires } from "./wires.ts";

const lookUpTimeoutMs = 60_000;

export interface RegistryClientOptions {
  /** Asked at every pull, so that a reload takes effect at the next. */
  readonly config: () => RegistriesConfig;
  /** Where credentials come from when the request brings none. */
  readonly credentials: CredentialSource;
  /** Directories with a subdirectory per registry; the first that has one counts. */
  readonly certsDirs: readonly string[];
  /** Where signatures are, asked each time. Default: nowhere but in the usual directory. */
  readonly signaturePlaces?: () => Promise<SignaturePlaces>;
  readonly userAgent: string;
  readonly log: Logger;
  /** For HTTP_PROXY, HTTPS_PROXY, NO_PROXY and SSL_CERT_FILE. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly limits?: Partial<RegistryLimits>;
}

export interface ResolveOptions {
  /** The credential of the pull request: used instead of all others, at mirrors too, when a registry asks for one. */
  readonly auth?: Credential;
  /** Instead of the client's, such as a namespaced auth file. */
  readonly credentials?: CredentialSource;
  readonly platform: Platform;
  readonly signal: AbortSignal;
}

/** Reads from registries by the OCI distribution specification. Nothing it gives out is unverified. */
export interface RegistryClient {
  /**
   * Finds a container image: its manifest for the platform and its config. `reference` is a full name; a digest counts before
   * a tag, without either it is `latest`. Rejects with "unavailable" when the registry refuses connections, "denied" for
   * 401, 403 and blocked registries, "not-found" when there is no such image or none for the platform, "corrupt" when
   * digests or sizes disagree, "invalid" for artifacts and malformed documents; `registryFailureOf` tells more.
   */
  resolve(reference: ImageReference, options: ResolveOptions): Promise<ResolvedImage>;
  /** As `resolve`, for OCI artifacts too: the config is left to the caller. */
  resolveManifest(reference: ImageReference, options: ResolveOptions): Promise<ResolvedManifest>;
  /** Downloads a blob of a resolved image; see `downloadBlob` for what holds while it streams. */
  blob(
    source: RegistrySource,
    wanted: Pick<Descriptor, "digest" | "size">,
    options: BlobOptions,
  ): AsyncIterable<Uint8Array>;
  /** The signatures of a resolved image's manifest, none of them verified; see `readSignatures`. */
  signatures(source: RegistrySource, manifestDigest: Digest, signal: AbortSignal): Promise<readonly ImageSignature[]>;
  /** Ends all connections. */
  close(): void;
}

/** A client with its own connections, tokens and knowledge of registries. Throws Fault("invalid") for a bad proxy setting. */
export function createRegistryClient(options: RegistryClientOptions): RegistryClient {
  const { certsDirs, userAgent, log, env } = options;
  const limits = { ...defaultLimits, ...options.limits };
  const deps = { limits, log };
  const wires = createWires({ certsDirs, env, proxies: proxySettings(env) });
  const tokens = new TokenCache();
  const schemes: KnownSchemes = new Map();

  const sessionsFor = (reference: ImageReference, request: ResolveOptions): readonly RegistrySession[] =>
    endpointsFor(options.config(), reference).map((endpoint) => {
      const { auth, credentials = options.credentials } = request;
      return new RegistrySession({
        endpoint,
        wire: remembered(() => wires.wireTo(endpoint)),
        patience: limits,
        userAgent,
        schemes,
        tokens,
        credential: async () =>
          auth === undefined
            ? credentials.lookUp(endpoint.reference, AbortSignal.timeout(lookUpTimeoutMs))
            : { ...auth, origin: "the pull request" },
      });
    });

  return {
    resolve: async (reference, request) => resolveImage(deps, reference, sessionsFor(reference, request), request),
    resolveManifest: async (reference, request) =>
      resolveManifest(deps, reference, sessionsFor(reference, request), request),
    blob: (source, wanted, request) => downloadBlob(deps, source, wanted, request),
    signatures: async (source, manifestDigest, signal) => {
      const places = (await options.signaturePlaces?.()) ?? noSignaturePlaces;
      return await readSignatures({ ...deps, userAgent, places }, source, manifestDigest, signal);
    },
    close: () => wires.close(),
  };
}
