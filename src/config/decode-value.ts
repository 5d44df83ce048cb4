import { Fault, reasonOf } from "../base/index.ts";
import { msFromNs, parseDurationMs } from "./duration.ts";
import type { Kind, OptionValue } from "./option.ts";

/**
 * A value of a TOML document as the kind of an option. Nothing is converted: a number in quotes is not a number.
 * Throws `Fault("invalid")` that says what was expected and what was found.
 */
export function decodeValue(kind: Kind, raw: unknown): OptionValue {
  switch (kind) {
    case "text":
      if (typeof raw === "string") return raw;
      throw expected("a string", raw);
    case "bool":
      if (typeof raw === "boolean") return raw;
      throw expected("true or false", raw);
    case "int":
      return Number(integer(raw, -BigInt(Number.MAX_SAFE_INTEGER), BigInt(Number.MAX_SAFE_INTEGER)));
    case "int64":
      return integer(raw, -(2n ** 63n), 2n ** 63n - 1n);
    case "uint64":
      return integer(raw, 0n, 2n ** 63n - 1n); // TOML's own integers end there
    case "duration":
      return decodeDuration(raw);
    case "list":
      return decodeList(raw);
    case "map":
      return decodeMap(raw);
  }
}

/** What a value of a TOML document is called. */
export function tomlTypeOf(raw: unknown): string {
  if (typeof raw === "string") return "a string";
  if (typeof raw === "bigint") return "an integer";
  if (typeof raw === "number") return "a float";
  if (typeof raw === "boolean") return "a boolean";
  if (Array.isArray(raw)) return "an array";
  return raw instanceof Date ? "a date" : "a table";
}

/** Whether a value of a TOML document is a table. */
export function isTable(raw: unknown): raw is Readonly<Record<string, unknown>> {
  return typeof raw === "object" && raw !== null && !Array.isArray(raw) && !(raw instanceof Date);
}

function integer(raw: unknown, lowest: bigint, highest: bigint): bigint {
  if (typeof raw !== "bigint") throw expected("an integer", raw);
  if (raw < lowest || raw > highest) throw new Fault("invalid", `${raw} is out of range (${lowest} to ${highest})`);
  return raw;
}

function decodeDuration(raw: unknown): number {
  if (typeof raw === "bigint") return msFromNs(integer(raw, -(2n ** 63n), 2n ** 63n - 1n));
  if (typeof raw !== "string") throw expected(`a duration such as "1m30s"`, raw);
  try {
    return parseDurationMs(raw);
  } catch (error) {
    throw new Fault("invalid", `expected a duration such as "1m30s": ${reasonOf(error)}`, { cause: error });
  }
}

function decodeList(raw: unknown): readonly string[] {
  if (!Array.isArray(raw)) throw expected("an array of strings", raw);
  const wrong = raw.findIndex((item) => typeof item !== "string");
  if (wrong >= 0) {
    throw new Fault(
      "invalid",
      `expected an array of strings, found ${tomlTypeOf(raw[wrong])} at position ${wrong + 1}`,
    );
  }
  return raw;
}

function decodeMap(raw: unknown): ReadonlyMap<string, string> {
  if (!isTable(raw)) throw expected("a table of strings", raw);
  const map = new Map<string, string>();
  for (const [key, value] of Object.entries(raw)) {
    if (typeof value !== "string") {
      throw new Fault("invalid", `expected a table of strings, found ${tomlTypeOf(value)} at ${JSON.stringify(key)}`);
    }
    map.set(key, value);
  }
  return map;
}

function expected(what: string, raw: unknown): Fault {
  return new Fault("invalid", `expected ${what}, found ${tomlTypeOf(raw)}`);
}
