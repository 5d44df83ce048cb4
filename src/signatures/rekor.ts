import { hash, type KeyObject, verify } from "node:crypto";
import { reasonOf } from "../base/index.ts";
import {
  type JsonObject,
  jsonField,
  jsonObject,
  jsonText,
  parseStrictJsonObject,
  refuseUnknownFields,
} from "../oci/index.ts";
import { parsePem } from "./pem.ts";
import { SignatureRefusal } from "./refusal.ts";

/** What the log must have seen. */
export interface LoggedSignature {
  /** The public key or certificate, DER. */
  readonly keyOrCertificate: Buffer;
  readonly signature: Buffer;
  readonly payload: Buffer;
}

const maxBundleBytes = 1024 * 1024;
const what = "the entry of the transparency log";

/**
 * Verifies Rekor's promise to have a signature in its log (`SignedEntryTimestamp`), and that it is this one. Returns when the log saw it.
 * Throws SignatureRefusal.
 */
export function verifyLogEntry(bundle: string, logKeys: readonly KeyObject[], logged: LoggedSignature): Date {
  try {
    return verifiedAt(bundle, logKeys, logged);
  } catch (error) {
    if (error instanceof SignatureRefusal) throw error;
    throw new SignatureRefusal(reasonOf(error), { cause: error });
  }
}

function verifiedAt(bundle: string, logKeys: readonly KeyObject[], logged: LoggedSignature): Date {
  const set = parseStrictJsonObject(Buffer.from(bundle), what, maxBundleBytes);
  refuseUnknownFields(set, ["SignedEntryTimestamp", "Payload"], what);
  const payload = jsonObject(jsonField(set, "Payload"), `${what}: Payload`);
  refuseUnknownFields(payload, ["body", "integratedTime", "logIndex", "logID"], `${what}: Payload`);
  const body = jsonText(payload, "body", what) ?? "";
  const integratedTime = wholeNumber(payload, "integratedTime");
  const logIndex = wholeNumber(payload, "logIndex");
  const logID = jsonText(payload, "logID", what) ?? "";
  // RFC 8785: with these fields and types, sorting the names is all there is to it.
  const signed = Buffer.from(JSON.stringify({ body, integratedTime, logID, logIndex }));
  const promise = Buffer.from(jsonText(set, "SignedEntryTimestamp", what) ?? "", "base64");
  if (!logKeys.some((key) => verify("sha256", signed, key, promise))) {
    throw new SignatureRefusal(`${what} is not signed by a trusted log`);
  }
  requireSame(parseStrictJsonObject(Buffer.from(body, "base64"), what, maxBundleBytes), logged);
  return new Date(integratedTime * 1000);
}

function requireSame(record: JsonObject, { keyOrCertificate, signature, payload }: LoggedSignature): void {
  if (jsonText(record, "kind", what) !== "hashedrekord" || jsonText(record, "apiVersion", what) !== "0.0.1") {
    throw new SignatureRefusal(`${what} is not a hashedrekord 0.0.1`);
  }
  const spec = jsonObject(jsonField(record, "spec"), `${what}: spec`);
  const theirs = jsonObject(jsonField(spec, "signature"), `${what}: signature`);
  const publicKey = jsonObject(jsonField(theirs, "publicKey"), `${what}: publicKey`);
  const pem = Buffer.from(jsonText(publicKey, "content", what) ?? "", "base64").toString("latin1");
  const [key, ...others] = parsePem(pem, `${what}: publicKey`);
  if (others.length > 0 || key?.der.equals(keyOrCertificate) !== true) {
    throw new SignatureRefusal(`${what} is for another key or certificate`);
  }
  if (!Buffer.from(jsonText(theirs, "content", what) ?? "", "base64").equals(signature)) {
    throw new SignatureRefusal(`${what} is for another signature`);
  }
  const sum = jsonObject(jsonField(jsonObject(jsonField(spec, "data"), `${what}: data`), "hash"), `${what}: hash`);
  if (
    jsonText(sum, "algorithm", what) !== "sha256" ||
    jsonText(sum, "value", what) !== hash("sha256", payload, "hex")
  ) {
    throw new SignatureRefusal(`${what} is for another payload`);
  }
}

function wholeNumber(object: JsonObject, key: string): number {
  const value = jsonField(object, key);
  if (typeof value === "number" && Number.isSafeInteger(value)) return value;
  throw new SignatureRefusal(`${what}: ${key} is not a whole number`);
}
