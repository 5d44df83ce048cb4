import { assertNever, Fault } from "../base/index.ts";
import {
  type ImageReference,
  type JsonObject,
  jsonText,
  parseReference,
  referenceText,
  refuseUnknownFields,
  repositoryText,
} from "../oci/index.ts";

/** Which names a signature may be for, so that it counts for an image (`signedIdentity` of policy.json). */
export type SignedIdentity =
  | { readonly is: "matchExact" }
  | { readonly is: "matchRepoDigestOrExact" }
  | { readonly is: "matchRepository" }
  | { readonly is: "exactReference"; readonly reference: ImageReference }
  | { readonly is: "exactRepository"; readonly repository: string }
  | { readonly is: "remapIdentity"; readonly prefix: string; readonly signedPrefix: string };

/** Throws Fault("invalid"). */
export function parseSignedIdentity(object: JsonObject, what: string): SignedIdentity {
  const is = jsonText(object, "type", what);
  const fields = is === undefined ? undefined : fieldsOf.get(is);
  if (fields === undefined) throw new Fault("invalid", `${what}: unknown type ${JSON.stringify(is ?? "")}`);
  refuseUnknownFields(object, ["type", ...fields], what);
  const text = (key: string): string => {
    const value = jsonText(object, key, what);
    if (value === undefined || value === "") throw new Fault("invalid", `${what}: ${key} is missing`);
    return value;
  };
  switch (is) {
    case "matchExact":
    case "matchRepository":
      return { is };
    case "exactReference":
      return { is, reference: withTagOrDigest(parseReference(text("dockerReference")), what) };
    case "exactRepository":
      return { is, repository: repositoryText(parseReference(text("dockerRepository"))) };
    case "remapIdentity":
      return {
        is,
        prefix: checkedPrefix(text("prefix"), what),
        signedPrefix: checkedPrefix(text("signedPrefix"), what),
      };
    default:
      return { is: "matchRepoDigestOrExact" };
  }
}

const fieldsOf: ReadonlyMap<string, readonly string[]> = new Map([
  ["matchExact", []],
  ["matchRepoDigestOrExact", []],
  ["matchRepository", []],
  ["exactReference", ["dockerReference"]],
  ["exactRepository", ["dockerRepository"]],
  ["remapIdentity", ["prefix", "signedPrefix"]],
]);

/** Whether a signature for the name `signed` counts for the image that was asked for as `wanted`. */
export function acceptsIdentity(identity: SignedIdentity, wanted: ImageReference, signed: string): boolean {
  const named = referenceOf(signed);
  if (named === undefined) return false;
  switch (identity.is) {
    case "matchExact":
      return isExact(named) && isExact(wanted) && referenceText(named) === referenceText(wanted);
    case "matchRepoDigestOrExact":
      return matchesRepoDigestOrExact(wanted, named);
    case "matchRepository":
      return repositoryText(named) === repositoryText(wanted);
    case "exactReference":
      return isExact(named) && referenceText(named) === referenceText(identity.reference);
    case "exactRepository":
      return repositoryText(named) === identity.repository;
    case "remapIdentity": {
      const moved = remapped(wanted, identity);
      return moved !== undefined && matchesRepoDigestOrExact(moved, named);
    }
    default:
      return assertNever(identity);
  }
}

/** By digest the repository is enough: that the digest is the signed one is looked at anyway. */
function matchesRepoDigestOrExact(wanted: ImageReference, signed: ImageReference): boolean {
  if (!isExact(signed) || !isExact(wanted)) return false;
  if (wanted.tag !== undefined) return referenceText(signed) === referenceText(wanted);
  return repositoryText(signed) === repositoryText(wanted);
}

function remapped(
  wanted: ImageReference,
  { prefix, signedPrefix }: { readonly prefix: string; readonly signedPrefix: string },
): ImageReference | undefined {
  const name = repositoryText(wanted);
  if (name !== prefix && !name.startsWith(`${prefix}/`)) return wanted;
  return referenceOf(signedPrefix + referenceText(wanted).slice(prefix.length));
}

function isExact({ tag, digest }: ImageReference): boolean {
  return tag !== undefined || digest !== undefined;
}

function withTagOrDigest(reference: ImageReference, what: string): ImageReference {
  if (isExact(reference)) return reference;
  throw new Fault("invalid", `${what}: dockerReference ${referenceText(reference)} has neither tag nor digest`);
}

/** A host, or a host and the beginning of a repository name. */
function checkedPrefix(text: string, what: string): string {
  const isName = /^[A-Za-z0-9.[\]:-]+(?:\/[a-z0-9._-]+)*$/.test(text);
  if (isName && referenceOf(`${text}/x`) !== undefined) return text;
  throw new Fault("invalid", `${what}: ${JSON.stringify(text.slice(0, 200))} is not a prefix of image names`);
}

function referenceOf(text: string): ImageReference | undefined {
  try {
    return parseReference(text);
  } catch {
    return undefined;
  }
}
