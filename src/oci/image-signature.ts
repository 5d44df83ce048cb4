import { Fault } from "../base/index.ts";
import { jsonText, jsonTextMap } from "./json.ts";
import { parseStrictJsonObject } from "./strict-json.ts";

/** A signature as it came from a registry or a store: nothing of it is trusted. */
export type ImageSignature =
  /** GPG "simple signing": an OpenPGP message. */
  | { readonly is: "simple"; readonly bytes: Buffer }
  /** Sigstore: a layer of cosign's attachment. */
  | {
      readonly is: "sigstore";
      readonly mediaType: string;
      readonly payload: Buffer;
      readonly annotations: Readonly<Record<string, string>>;
    };

/** The largest signature that is read, and the most of them for one image. */
export const maxSignatureBytes = 4 * 1024 * 1024;
export const maxSignatures = 128;

const sigstorePrefix = Buffer.from("\0sigstore-json\n");
/** A stored signature has its payload in base64. */
const maxBlobBytes = 2 * maxSignatureBytes;

/** The form in which image tools write a signature into stores and directories. */
export function signatureBlob(signature: ImageSignature): Buffer {
  if (signature.is === "simple") return signature.bytes;
  const { mediaType, payload, annotations } = signature;
  const json = JSON.stringify({ mimeType: mediaType, payload: payload.toString("base64"), annotations });
  return Buffer.concat([sigstorePrefix, Buffer.from(json)]);
}

/** Reads what `signatureBlob` writes. Throws Fault("invalid"). */
export function parseSignatureBlob(bytes: Buffer): ImageSignature {
  if (bytes.length > 0 && bytes[0] !== 0) return { is: "simple", bytes };
  if (!bytes.subarray(0, sigstorePrefix.length).equals(sigstorePrefix)) {
    throw new Fault("invalid", "a stored signature has a format that is not known");
  }
  const what = "a stored sigstore signature";
  const object = parseStrictJsonObject(bytes.subarray(sigstorePrefix.length), what, maxBlobBytes);
  return {
    is: "sigstore",
    mediaType: jsonText(object, "mimeType", what) ?? "",
    payload: Buffer.from(jsonText(object, "payload", what) ?? "", "base64"),
    annotations: jsonTextMap(object, "annotations", what),
  };
}
