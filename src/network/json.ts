import { Fault, isFault } from "../base/index.ts";
import { type JsonObject, jsonObject } from "../oci/index.ts";

export type { JsonObject };

/** Deeper nesting than any configuration has; both `JSON.parse` with a reviver and `JSON.stringify` recurse. */
const maxDepth = 100;

// ES2026 "JSON.parse source text access"; TypeScript's es2024 library does not declare it yet.
const json = JSON as unknown as {
  rawJSON(text: string): object;
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
  ): unknown;
};

/**
 * The JSON object in `bytes` such that `JSON.stringify` writes every number back as it stood: whatever is no safe integer stays
 * its own text. Plugins receive keys that mean nothing to us, and a double would not hold them all.
 *
 * Rejects with Fault("exhausted") beyond `maxBytes` and Fault("invalid") for anything that is not UTF-8 JSON of reasonable depth
 * with an object at the top. Read fields with the helpers of `oci/` only: `__proto__` is a key like any other.
 */
export function parseJson(bytes: Uint8Array, what: string, maxBytes: number): JsonObject {
  if (bytes.byteLength > maxBytes) {
    throw new Fault("exhausted", `${what} has ${bytes.byteLength} bytes, more than the ${maxBytes} that are read`);
  }
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    checkDepth(text, what);
    return jsonObject(json.parse(text, keepNumber), what);
  } catch (error) {
    if (isFault(error)) throw error;
    throw new Fault("invalid", `${what} is not valid JSON`, { cause: error });
  }
}

/** A number for JSON from an integer of any size. */
export function jsonInteger(value: bigint): number | object {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : json.rawJSON(String(value));
}

function keepNumber(_key: string, value: unknown, context: { readonly source?: string }): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value) || context.source === undefined) return value;
  return json.rawJSON(context.source);
}

function checkDepth(text: string, what: string): void {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (inString) {
      if (char === "\\") at++;
      else if (char === '"') inString = false;
    } else if (char === '"') inString = true;
    else if (char === "{" || char === "[") depth++;
    else if (char === "}" || char === "]") depth--;
    if (depth > maxDepth) throw new Fault("invalid", `${what} is nested deeper than ${maxDepth} levels`);
  }
}
