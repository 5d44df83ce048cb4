import { Fault } from "../base/index.ts";
import { type JsonObject, jsonField, jsonObject, jsonText, jsonTexts, refuseUnknownFields } from "../oci/index.ts";
import { parseSignedIdentity, type SignedIdentity } from "./identity.ts";

/** A key or certificate: in a file, or in the policy itself. */
export type Material = { readonly is: "file"; readonly path: string } | { readonly is: "data"; readonly bytes: Buffer };

/** One requirement of policy.json. */
export type Requirement =
  | { readonly is: "insecureAcceptAnything" }
  | { readonly is: "reject" }
  | {
      readonly is: "signedBy";
      readonly keyType: string;
      readonly keys: readonly Material[];
      readonly identity: SignedIdentity;
    }
  | { readonly is: "signedBaseLayer" }
  | {
      readonly is: "sigstoreSigned";
      readonly signer: SigstoreSigner;
      /** Keys of transparency logs, one of which must have seen the signature; empty when none is asked for. */
      readonly logKeys: readonly Material[];
      readonly identity: SignedIdentity;
    };

/** Whose signatures count. */
export type SigstoreSigner =
  | { readonly is: "keys"; readonly keys: readonly Material[] }
  /** Short-lived certificates, given out for a login. */
  | { readonly is: "fulcio"; readonly roots: Material; readonly oidcIssuer: string; readonly subjectEmail: string }
  | {
      readonly is: "pki";
      readonly roots: Material;
      readonly intermediates: Material | undefined;
      readonly subjectEmail: string | undefined;
      readonly subjectHostname: string | undefined;
    };

/** Throws Fault("invalid"): also for unknown fields, which somebody has written for a reason. */
export function parseRequirement(object: JsonObject, what: string): Requirement {
  const is = jsonText(object, "type", what);
  switch (is) {
    case "insecureAcceptAnything":
    case "reject":
      refuseUnknownFields(object, ["type"], what);
      return { is };
    case "signedBaseLayer":
      refuseUnknownFields(object, ["type", "baseLayerIdentity"], what);
      return { is };
    case "signedBy":
      return parseSignedBy(object, what);
    case "sigstoreSigned":
      return parseSigstoreSigned(object, what);
    default:
      throw new Fault("invalid", `${what}: unknown type ${JSON.stringify((is ?? "").slice(0, 100))}`);
  }
}

const gpgKeyTypes = ["GPGKeys", "signedByGPGKeys", "X509Certificates", "signedByX509CAs"];

function parseSignedBy(object: JsonObject, what: string): Requirement {
  refuseUnknownFields(object, ["type", "keyType", "keyPath", "keyPaths", "keyData", "signedIdentity"], what);
  const keyType = jsonText(object, "keyType", what) ?? "";
  if (!gpgKeyTypes.includes(keyType)) throw new Fault("invalid", `${what}: unknown keyType ${JSON.stringify(keyType)}`);
  const keys = materials(object, { path: "keyPath", paths: "keyPaths", data: "keyData" }, what);
  if (keys === undefined) throw new Fault("invalid", `${what}: one of keyPath, keyPaths and keyData is needed`);
  return { is: "signedBy", keyType, keys, identity: identityOf(object, what) };
}

const sigstoreKeys = { path: "keyPath", paths: "keyPaths", data: "keyData", datas: "keyDatas" };
const rekorKeys = {
  path: "rekorPublicKeyPath",
  paths: "rekorPublicKeyPaths",
  data: "rekorPublicKeyData",
  datas: "rekorPublicKeyDatas",
};

function parseSigstoreSigned(object: JsonObject, what: string): Requirement {
  const known = [
    "type",
    "signedIdentity",
    "fulcio",
    "pki",
    ...Object.values(sigstoreKeys),
    ...Object.values(rekorKeys),
  ];
  refuseUnknownFields(object, known, what);
  const keys = materials(object, sigstoreKeys, what);
  const section = (key: string) => {
    const value = jsonField(object, key);
    return value === undefined ? undefined : jsonObject(value, `${what}: ${key}`);
  };
  const [fulcio, pki] = [section("fulcio"), section("pki")];
  const signers: readonly (SigstoreSigner | undefined)[] = [
    keys === undefined ? undefined : { is: "keys", keys },
    fulcio === undefined ? undefined : parseFulcio(fulcio, `${what}: fulcio`),
    pki === undefined ? undefined : parsePki(pki, `${what}: pki`),
  ];
  const [signer, ...others] = signers.filter((each) => each !== undefined);
  if (signer === undefined || others.length > 0) {
    const choices = [...Object.values(sigstoreKeys), "fulcio", "pki"].join(", ");
    throw new Fault("invalid", `${what}: exactly one of ${choices} is needed`);
  }
  const logKeys = materials(object, rekorKeys, what) ?? [];
  if (signer.is === "fulcio" && logKeys.length === 0) {
    throw new Fault("invalid", `${what}: fulcio needs a rekorPublicKey, which tells when the certificate was used`);
  }
  if (signer.is === "pki" && logKeys.length > 0) {
    throw new Fault("invalid", `${what}: a rekorPublicKey cannot be used together with pki`);
  }
  return { is: "sigstoreSigned", signer, logKeys, identity: identityOf(object, what) };
}

function parseFulcio(object: JsonObject, what: string): SigstoreSigner {
  refuseUnknownFields(object, ["caPath", "caData", "oidcIssuer", "subjectEmail"], what);
  const [roots] = materials(object, { path: "caPath", data: "caData" }, what) ?? [];
  const oidcIssuer = jsonText(object, "oidcIssuer", what) ?? "";
  const subjectEmail = jsonText(object, "subjectEmail", what) ?? "";
  if (roots === undefined || oidcIssuer === "" || subjectEmail === "") {
    throw new Fault("invalid", `${what}: caPath or caData, oidcIssuer and subjectEmail are needed`);
  }
  return { is: "fulcio", roots, oidcIssuer, subjectEmail };
}

function parsePki(object: JsonObject, what: string): SigstoreSigner {
  const sources = { path: "caRootsPath", data: "caRootsData" };
  const between = { path: "caIntermediatesPath", data: "caIntermediatesData" };
  const known = [...Object.values(sources), ...Object.values(between), "subjectEmail", "subjectHostname"];
  refuseUnknownFields(object, known, what);
  const [roots] = materials(object, sources, what) ?? [];
  if (roots === undefined) throw new Fault("invalid", `${what}: caRootsPath or caRootsData is needed`);
  const [intermediates] = materials(object, between, what) ?? [];
  const subjectEmail = jsonText(object, "subjectEmail", what) || undefined;
  const subjectHostname = jsonText(object, "subjectHostname", what) || undefined;
  if (subjectEmail === undefined && subjectHostname === undefined) {
    throw new Fault("invalid", `${what}: subjectEmail or subjectHostname is needed`);
  }
  return { is: "pki", roots, intermediates, subjectEmail, subjectHostname };
}

function identityOf(object: JsonObject, what: string): SignedIdentity {
  const value = jsonField(object, "signedIdentity");
  if (value === undefined) return { is: "matchRepoDigestOrExact" };
  return parseSignedIdentity(jsonObject(value, `${what}: signedIdentity`), `${what}: signedIdentity`);
}

interface MaterialFields {
  readonly path: string;
  readonly paths?: string;
  readonly data: string;
  readonly datas?: string;
}

/** The material that one of these fields names; undefined when none does. */
function materials(object: JsonObject, fields: MaterialFields, what: string): readonly Material[] | undefined {
  const names = Object.values(fields).filter((name) => jsonField(object, name) !== undefined);
  if (names.length > 1) throw new Fault("invalid", `${what}: only one of ${names.join(" and ")} may be given`);
  const [name] = names;
  if (name === undefined) return undefined;
  const isList = name === fields.paths || name === fields.datas;
  const texts = isList ? jsonTexts(object, name, what, 1000) : [jsonText(object, name, what) ?? ""];
  if (texts.length === 0 || texts.includes("")) throw new Fault("invalid", `${what}: ${name} is empty`);
  const isPath = name === fields.path || name === fields.paths;
  return texts.map((text) =>
    isPath ? { is: "file", path: text } : { is: "data", bytes: fromBase64(text, `${what}: ${name}`) },
  );
}

function fromBase64(text: string, what: string): Buffer {
  if (/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)) return Buffer.from(text, "base64");
  throw new Fault("invalid", `${what} is not base64`);
}
