import {
  type Digest,
  isDigest,
  jsonField,
  jsonObject,
  jsonText,
  parseStrictJsonObject,
  refuseUnknownFields,
} from "../oci/index.ts";
import { SignatureRefusal } from "./refusal.ts";

/** What a signature says: this manifest goes by this name. */
export interface SignedClaim {
  readonly dockerReference: string;
  readonly manifestDigest: Digest;
}

const maxPayloadBytes = 1024 * 1024;

/** The types that the two kinds of signature call themselves. */
export const claimTypes = {
  simple: "atomic container signature",
  sigstore: "cosign container image signature",
} as const;

/** Reads the payload of a signature that has been verified. Everything in `critical` must be known, what is `optional` is nobody's business. */
export function parseClaim(payload: Uint8Array, type: string): SignedClaim {
  const what = "the signed text";
  try {
    const body = parseStrictJsonObject(payload, what, maxPayloadBytes);
    refuseUnknownFields(body, ["critical", "optional"], what);
    const critical = jsonObject(jsonField(body, "critical"), `${what}: critical`);
    refuseUnknownFields(critical, ["type", "image", "identity"], `${what}: critical`);
    const image = jsonObject(jsonField(critical, "image"), `${what}: image`);
    refuseUnknownFields(image, ["docker-manifest-digest"], `${what}: image`);
    const identity = jsonObject(jsonField(critical, "identity"), `${what}: identity`);
    refuseUnknownFields(identity, ["docker-reference"], `${what}: identity`);
    const actual = jsonText(critical, "type", what);
    if (actual !== type)
      throw new SignatureRefusal(`it is of the type ${JSON.stringify(actual ?? "")}, not ${JSON.stringify(type)}`);
    const manifestDigest = jsonText(image, "docker-manifest-digest", what) ?? "";
    if (!isDigest(manifestDigest)) throw new SignatureRefusal("its docker-manifest-digest is not a digest");
    return { dockerReference: jsonText(identity, "docker-reference", what) ?? "", manifestDigest };
  } catch (error) {
    if (error instanceof SignatureRefusal) throw error;
    throw new SignatureRefusal(error instanceof Error ? error.message : `${what} cannot be read`, { cause: error });
  }
}
