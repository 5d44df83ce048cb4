import { hash } from "node:crypto";
import { Fault } from "../base/index.ts";

/** A content digest, `<algorithm>:<lower-case hex>`, checked: only `parseDigest`, `isDigest` and `digestOf` make one. */
export type Digest = string & { readonly __digest: unique symbol };

/** The algorithms that are accepted; the names are those of OpenSSL too. */
export type DigestAlgorithm = "sha256" | "sha384" | "sha512";

const grammar = /^(?:sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})$/;

/** Whether `text` is a digest of a known algorithm in full length and lower case. */
export function isDigest(text: string): text is Digest {
  return grammar.test(text);
}

/** `text` as a digest. Throws Fault("invalid") for anything else, also for upper-case hex. */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new Fault("invalid", `invalid digest ${JSON.stringify(text.slice(0, 160))}: expected sha256:<64 hex digits>`);
}

/** The digest of `bytes`. */
export function digestOf(bytes: Uint8Array, algorithm: DigestAlgorithm = "sha256"): Digest {
  return digestFromHex(hash(algorithm, bytes, "hex"), algorithm);
}

/** The digest with these hex digits. Throws Fault("invalid") unless they are of the right number, in lower case. */
export function digestFromHex(hex: string, algorithm: DigestAlgorithm = "sha256"): Digest {
  return parseDigest(`${algorithm}:${hex}`);
}

export function digestAlgorithm(digest: Digest): DigestAlgorithm {
  const name = digest.slice(0, 6);
  return name === "sha384" || name === "sha512" ? name : "sha256";
}

/** The hex digits alone, as ids of images and layers are written. */
export function digestHex(digest: Digest): string {
  return digest.slice(7);
}
