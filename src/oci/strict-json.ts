import { Fault } from "../base/index.ts";
import { type JsonObject, parseJsonObject } from "./json.ts";

/**
 * As `parseJsonObject`, for documents that decide what is trusted: no key may come twice in an object, for programs differ in which of the
 * two they take, and what one has checked another would use.
 */
export function parseStrictJsonObject(bytes: Uint8Array, what: string, maxBytes: number): JsonObject {
  const object = parseJsonObject(bytes, what, maxBytes);
  const twice = keyTwice(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8"));
  if (twice === undefined) return object;
  throw new Fault("invalid", `${what} has the key ${JSON.stringify(twice.slice(0, 100))} twice`);
}

/** Rejects keys that are not among `known`: whoever wrote them meant something by them. */
export function refuseUnknownFields(object: JsonObject, known: readonly string[], what: string): void {
  const unknown = Object.keys(object).find((key) => !known.includes(key));
  if (unknown === undefined) return;
  throw new Fault("invalid", `${what} has the unknown field ${JSON.stringify(unknown.slice(0, 100))}`);
}

/** A key that an object of `json`, which is well-formed, has twice. */
function keyTwice(json: string): string | undefined {
  /** The keys so far of each object that is open; undefined for a list. */
  const open: (Set<string> | undefined)[] = [];
  for (const [token, key] of json.matchAll(/[{}[\]]|("(?:[^"\\]|\\.)*")(?:[ \t\r\n]*:)?/g)) {
    if (token === "{") open.push(new Set());
    else if (token === "[") open.push(undefined);
    else if (token === "}" || token === "]") open.pop();
    else if (key !== undefined && token.endsWith(":")) {
      const name: string = JSON.parse(key);
      const keys = open.at(-1);
      if (keys?.has(name)) return name;
      keys?.add(name);
    }
  }
  return undefined;
}
