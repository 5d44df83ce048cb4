import { durationText } from "./duration.ts";
import { fieldOf, type Kind, type OptionValue, type Section } from "./option.ts";

/** A table with its settings, in the order of its options, and a newline at the end. */
export function tableText(table: string, options: Section, values: object): string {
  const byField: ReadonlyMap<string, OptionValue> = new Map(Object.entries(values));
  const lines = Object.entries(options).flatMap(([key, { kind }]) => {
    const value = byField.get(fieldOf(key, kind));
    return value === undefined ? [] : [assignment(key, kind, value)];
  });
  return `${[`[${table}]`, ...lines].join("\n")}\n`;
}

/** `key = value`, a list of several entries over several lines. */
export function assignment(key: string, kind: Kind, value: OptionValue): string {
  return `${key} = ${valueText(kind, value)}`;
}

function valueText(kind: Kind, value: OptionValue): string {
  if (typeof value === "string") return quoted(value);
  if (typeof value === "number") return kind === "duration" ? quoted(durationText(value)) : String(value);
  if (typeof value === "boolean" || typeof value === "bigint") return String(value);
  if (value instanceof Map) return mapText(value);
  const items = [...value.values()];
  return items.length === 0 ? "[]" : `[\n${items.map((item) => `\t${quoted(item)},\n`).join("")}]`;
}

function mapText(map: ReadonlyMap<string, string>): string {
  const entries = [...map].map(([key, value]) => `${quoted(key)} = ${quoted(value)}`);
  return entries.length === 0 ? "{}" : `{ ${entries.join(", ")} }`;
}

/** A key, quoted where it must be. */
export function keyText(name: string): string {
  return /^[A-Za-z0-9_-]+$/.test(name) ? name : quoted(name);
}

/** A basic string: JSON's escapes are TOML's, but for DEL, which TOML wants escaped. */
function quoted(text: string): string {
  return JSON.stringify(text).replaceAll("\u007f", "\\u007f");
}
