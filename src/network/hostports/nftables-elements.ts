import { type JsonObject, jsonField, jsonList, jsonObject, jsonText } from "../../oci/index.ts";
import { canonicalAddress } from "../addresses.ts";
import { parseJson } from "../json.ts";
import { type ContainerName, containers, type ElementKey } from "./nftables-script.ts";

/** An element with the comment that says whose it is. */
export interface TableElement extends ElementKey {
  readonly comment: string;
}

/** More elements than a host has ports. */
const maxElements = 500_000;

/**
 * The elements with a comment in what `nft --json list table` prints. Elements in a form that is not known are passed over:
 * they are not ours to remove. Throws Fault("invalid") when it is not nft's JSON.
 */
export function parseElements(output: Uint8Array, maxBytes: number): readonly TableElement[] {
  const listing = jsonList(
    parseJson(output, "the listing of nft", maxBytes),
    "nftables",
    "the listing of nft",
    maxElements,
  );
  return listing.flatMap((entry) => {
    const object = jsonObject(entry, "an entry of nft");
    const holder = jsonField(object, "map") ?? jsonField(object, "set");
    if (holder === undefined) return [];
    const container = jsonObject(holder, "a map of nft");
    const name = containers.find((known) => known === jsonField(container, "name"));
    if (name === undefined) return [];
    return jsonList(container, "elem", "a map of nft", maxElements).flatMap((element) => elementOf(name, element));
  });
}

/** In a map an element is `[key, value]`, in a set it is the key; a key with a comment is `{elem: {val, comment}}`. */
function elementOf(container: ContainerName, element: unknown): readonly TableElement[] {
  const key: unknown = Array.isArray(element) ? element[0] : element;
  const wrapped = objectIn(key, "elem");
  const concat = wrapped === undefined ? undefined : objectIn(wrapped, "val");
  const parts: unknown = concat === undefined ? undefined : jsonField(concat, "concat");
  const comment = wrapped === undefined ? undefined : jsonText(wrapped, "comment", "an element of nft");
  if (comment === undefined || !Array.isArray(parts)) return [];
  const known = parts.filter(isKeyPart);
  return known.length === parts.length && known.length > 0 ? [{ container, comment, key: known }] : [];
}

function objectIn(value: unknown, key: string): JsonObject | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const inner = jsonField(value as JsonObject, key); // narrowed above
  return typeof inner === "object" && inner !== null && !Array.isArray(inner) ? (inner as JsonObject) : undefined;
}

/** An address, a protocol by name, a port: what may go back into a script. */
function isKeyPart(part: unknown): part is string | number {
  if (typeof part === "number") return Number.isInteger(part) && part >= 0 && part <= 65535;
  return typeof part === "string" && (/^[a-z0-9-]{1,32}$/.test(part) || canonicalAddress(part) !== undefined);
}
