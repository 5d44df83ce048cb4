import { Fault } from "../base/index.ts";

/**
 * Reading untrusted JSON field by field. `null` counts as absent, as in Go, whose programs wrote these documents;
 * only own properties count, so that `__proto__` and `constructor` are names like any other.
 */
export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * The object in `bytes` (strict UTF-8, at most `maxBytes`). Rejects with Fault("invalid"), whose message never quotes the
 * document: it may hold credentials.
 */
export function parseJsonObject(bytes: Uint8Array, what: string, maxBytes: number): JsonObject {
  if (bytes.byteLength > maxBytes) {
    throw new Fault("exhausted", `${what} has ${bytes.byteLength} bytes, more than the ${maxBytes} that are read`);
  }
  return jsonObject(parseJson(bytes, what), what);
}

/** `value` as an object that is no array. */
export function jsonObject(value: unknown, what: string): JsonObject {
  if (isObject(value)) return value;
  throw new Fault("invalid", `${what} is ${kindOf(value)}, not an object`);
}

/** The field's value; undefined when it is absent or null. */
export function jsonField(object: JsonObject, key: string): unknown {
  if (!Object.hasOwn(object, key)) return undefined;
  return object[key] ?? undefined;
}

/** A string without NUL (which no file name, argument or label can carry); undefined when absent. */
export function jsonText(object: JsonObject, key: string, what: string): string | undefined {
  const value = jsonField(object, key);
  return value === undefined ? undefined : checkedText(value, `${what}: ${key}`);
}

/** A boolean; false when absent. */
export function jsonBoolean(object: JsonObject, key: string, what: string): boolean {
  const value = jsonField(object, key) ?? false;
  if (typeof value !== "boolean") throw new Fault("invalid", `${what}: ${key} is ${kindOf(value)}, not true or false`);
  return value;
}

/** A list, at most `maxLength` long; empty when absent. */
export function jsonList(object: JsonObject, key: string, what: string, maxLength: number): readonly unknown[] {
  const value = jsonField(object, key) ?? [];
  if (!Array.isArray(value)) throw new Fault("invalid", `${what}: ${key} is ${kindOf(value)}, not a list`);
  if (value.length > maxLength) {
    throw new Fault("exhausted", `${what}: ${key} has ${value.length} entries, more than the ${maxLength} allowed`);
  }
  return value;
}

/** A list of strings; empty when absent. */
export function jsonTexts(object: JsonObject, key: string, what: string, maxLength = 100_000): readonly string[] {
  return jsonList(object, key, what, maxLength).map((entry) => checkedText(entry, `${what}: ${key}`));
}

/** A map of strings as an object without prototype; empty when absent, null values read as "". */
export function jsonTextMap(object: JsonObject, key: string, what: string): Readonly<Record<string, string>> {
  const map: Record<string, string> = Object.create(null);
  const value = jsonField(object, key);
  if (value === undefined) return map;
  for (const [name, entry] of Object.entries(jsonObject(value, `${what}: ${key}`))) {
    map[checkedText(name, `${what}: ${key}`)] = checkedText(entry ?? "", `${what}: ${key}`);
  }
  return map;
}

/** The keys of an object, as Go writes a set (`{"80/tcp": {}}`); empty when absent. */
export function jsonKeys(object: JsonObject, key: string, what: string): readonly string[] {
  const value = jsonField(object, key);
  if (value === undefined) return [];
  return Object.keys(jsonObject(value, `${what}: ${key}`)).map((name) => checkedText(name, `${what}: ${key}`));
}

function parseJson(bytes: Uint8Array, what: string): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (error) {
    const where = /at position \d+/.exec(error instanceof Error ? error.message : "");
    throw new Fault("invalid", `${what} is not valid JSON${where === null ? "" : ` (${where[0]})`}`);
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function checkedText(value: unknown, what: string): string {
  if (typeof value !== "string") throw new Fault("invalid", `${what} is ${kindOf(value)}, not a string`);
  if (value.includes("\0")) throw new Fault("invalid", `${what} holds a NUL character`);
  return value;
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return "absent";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
