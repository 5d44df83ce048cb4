import { withStep } from "../base/index.ts";
import {
  type Digest,
  digestAlgorithm,
  digestOf,
  type ImageReference,
  isDigest,
  type Manifest,
  manifestMediaTypes,
  maxManifestBytes,
  parseManifest,
} from "../oci/index.ts";
import { readBody } from "./body.ts";
import { contentFault } from "./failure.ts";
import type { RegistrySession } from "./session.ts";

export interface FetchedManifest {
  /** Exactly as received; what the digest and signatures cover. */
  readonly bytes: Buffer;
  /** Of `bytes`; in the algorithm of the digest that was asked for, sha256 for a tag. */
  readonly digest: Digest;
  readonly manifest: Manifest;
}

const accept = Object.values(manifestMediaTypes).join(", ");

/**
 * Fetches the manifest a tag or digest names and verifies it before it is parsed: against the digest asked for, or else the
 * registry's Docker-Content-Digest. Rejects with RegistryFault ("corrupt" when a digest differs) or the parser's Fault.
 */
export async function fetchManifest(
  session: RegistrySession,
  wanted: Pick<ImageReference, "tag" | "digest">,
  signal: AbortSignal,
): Promise<FetchedManifest> {
  const { domain, path } = session.endpoint.reference;
  const name = wanted.digest ?? wanted.tag ?? "latest";
  const what = `reading manifest ${name} in ${domain}/${path}`;
  const headers = { accept };
  const response = await session.get(`manifests/${name}`, { what, notFound: "manifest unknown", headers, signal });
  const bytes = await readBody(response, maxManifestBytes, "the manifest");
  const claimed = response.headers["docker-content-digest"];
  const claim = typeof claimed === "string" && isDigest(claimed) ? claimed : undefined;
  const digest = wanted.digest ?? digestOf(bytes);
  checkDigest(bytes, digest, what);
  if (wanted.digest === undefined && claim !== undefined) checkDigest(bytes, claim, what);
  try {
    return { bytes, digest, manifest: parseManifest(bytes, response.headers["content-type"]) };
  } catch (error) {
    throw withStep(what, error);
  }
}

function checkDigest(bytes: Uint8Array, expected: Digest, what: string): void {
  const actual = digestOf(bytes, digestAlgorithm(expected));
  if (actual !== expected) throw contentFault(`${what}: its digest is ${actual}, not ${expected}`);
}
