import { Fault, reasonOf } from "../../base/index.ts";

/**
 * A record as it stands in a store's JSON file, with all its keys, also those that only other programs know: changes are
 * made to it, not to what we understood of it. Keys are untrusted: use `own`.
 */
export type JsonRecord = Readonly<Record<string, unknown>>;

/** Throws Fault("corrupt") that names `file`. An empty file is an empty list, as other programs take it. */
export function parseRecords(text: string, file: string): readonly JsonRecord[] {
  if (text === "") return [];
  let parsed: unknown;
  try {
    parsed = /\d{16}/.test(text) ? JSON.parse(text, keepLargeIntegers) : JSON.parse(text);
  } catch (error) {
    throw new Fault("corrupt", `reading ${file}: ${reasonOf(error)}`, { cause: error });
  }
  if (parsed === null) return []; // how Go writes an empty list that was never made
  if (!Array.isArray(parsed) || !parsed.every(isRecord)) {
    throw new Fault("corrupt", `reading ${file}: not a list of records`);
  }
  return parsed;
}

function isRecord(value: unknown): value is JsonRecord {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The record's own value of `key`. */
export function own(record: JsonRecord, key: string): unknown {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

/** `record` with other values; `undefined` takes a key out. The order of keys stays, new ones come last. */
export function withValues(record: JsonRecord, values: JsonRecord): JsonRecord {
  const merged = new Map([...Object.entries(record), ...Object.entries(values)]);
  return Object.fromEntries([...merged].filter(([, value]) => value !== undefined));
}

// Reading a number beyond 2^53 and writing it back would change it. Where such digits occur, keep their text.
function keepLargeIntegers(this: unknown, _key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value) || context?.source === undefined) return value;
  return json.rawJSON?.(context.source) ?? value;
}

// In the language, but not yet in the compiler's library, hence the cast.
const json = JSON as unknown as { rawJSON?: (text: string) => unknown };

// Readers of single fields. All throw Fault("corrupt") for a value of another type, which makes the record unusable.

export function textField(record: JsonRecord, key: string): string | undefined {
  const value = own(record, key) ?? undefined;
  if (value === undefined || typeof value === "string") return value;
  throw wrongType(key);
}

export function textsField(record: JsonRecord, key: string): readonly string[] {
  const value = own(record, key) ?? [];
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw wrongType(key);
}

/** A whole number that a double holds exactly. */
export function integerField(record: JsonRecord, key: string): number | undefined {
  const value = own(record, key) ?? undefined;
  if (value === undefined || Number.isSafeInteger(value)) return value as number | undefined; // checked on this line
  throw wrongType(key);
}

export function recordField(record: JsonRecord, key: string): JsonRecord {
  const value = own(record, key) ?? {};
  if (isRecord(value)) return value;
  throw wrongType(key);
}

export function recordsField(record: JsonRecord, key: string): readonly JsonRecord[] {
  const value = own(record, key) ?? [];
  if (Array.isArray(value) && value.every(isRecord)) return value;
  throw wrongType(key);
}

function wrongType(key: string): Fault {
  return new Fault("corrupt", `its ${JSON.stringify(key)} is of the wrong type`);
}
