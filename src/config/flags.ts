import { assertNever, Fault, reasonOf } from "../base/index.ts";
import { parseDurationMs } from "./duration.ts";
import { parseGoBool, parseGoInt } from "./go-values.ts";
import type { Layer, Note, Setting, Source } from "./layer.ts";
import type { OptionValue } from "./option.ts";
import { parseRuntimesFlag } from "./runtimes-flag.ts";
import { type Row, type RuntimeHandler, rows } from "./table.ts";

/** Environment variables, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What was given on the command line: the texts of each global flag, by its full name and in their order. */
export type GivenFlags = ReadonlyMap<string, readonly string[]>;

/** A row that has a flag. */
export type FlagRow = Row & { readonly flag: string };

/** Every global flag, sorted by name. */
export const flagRows: readonly FlagRow[] = rows
  .flatMap((row) => (row.option.flag === undefined ? [] : [{ ...row, flag: row.option.flag }]))
  .sort((a, b) => (a.flag < b.flag ? -1 : 1));

const misspelt = "CONTAINER_INCLUDED_POD_METRCIS";

/**
 * The settings of the environment and of the flags; a flag counts more than its variable. What is given counts even when it
 * equals the default. Throws `Fault("invalid")` with Go's words for a text that is not a value of the option's kind.
 */
export function layerOfFlags(given: GivenFlags, env: Environment): Layer & { readonly notes: readonly Note[] } {
  const settings = new Map<string, Setting<OptionValue>>();
  for (const row of flagRows) {
    const setting = fromFlag(row, given.get(row.flag)) ?? fromEnvironment(row, env);
    if (setting !== undefined) settings.set(row.path, setting);
  }
  return { settings, handlers: handlersOf(settings.get("--runtimes")), workloads: new Map(), notes: notesOf(settings) };
}

function fromFlag(row: FlagRow, texts: readonly string[] | undefined): Setting<OptionValue> | undefined {
  if (texts === undefined) return undefined;
  const source: Source = { is: "flag", flag: row.flag };
  try {
    return { value: parsed(row, texts), source };
  } catch (error) {
    const text = JSON.stringify(texts.at(-1) ?? "");
    const kind = row.option.kind;
    const what =
      kind === "bool"
        ? `invalid boolean value ${text} for -${row.flag}`
        : `invalid value ${text} for flag -${row.flag}`;
    throw new Fault("invalid", `${what}: ${reasonOf(error)}`, { cause: error });
  }
}

function fromEnvironment(row: FlagRow, env: Environment): Setting<OptionValue> | undefined {
  const { kind, env: names = [] } = row.option;
  const name = names.find((candidate) => env[candidate] !== undefined);
  if (name === undefined) return undefined;
  const text = env[name] ?? "";
  const source: Source = { is: "env", name };
  if (text === "" && kind !== "text") return emptyOf(kind, source);
  try {
    return { value: parsed(row, [text]), source };
  } catch (error) {
    throw new Fault(
      "invalid",
      `could not parse ${JSON.stringify(text)} as ${kind} value from environment variable "${name}" for flag ${row.flag}: ${reasonOf(error)}`,
      { cause: error },
    );
  }
}

/** A variable set to nothing: false for a switch, no entries for a list; numbers and durations are left alone. */
function emptyOf(kind: Row["option"]["kind"], source: Source): Setting<OptionValue> | undefined {
  if (kind === "bool") return { value: false, source };
  return kind === "list" ? { value: [], source } : undefined;
}

function parsed(row: FlagRow, texts: readonly string[]): OptionValue {
  const last = texts.at(-1) ?? "";
  switch (row.option.kind) {
    case "text":
      return last;
    case "bool":
      return parseGoBool(last);
    case "int":
      return safeInt(last);
    case "int64":
    case "uint64":
      return parseGoInt(last);
    case "duration":
      return goDuration(last);
    case "list":
      return texts.flatMap((text) => text.split(",")).map((item) => item.trim());
    case "map":
      throw new Fault("invalid", `--${row.flag} cannot be a flag`);
    default:
      return assertNever(row.option);
  }
}

function safeInt(text: string): number {
  const value = Number(parseGoInt(text));
  if (!Number.isSafeInteger(value)) throw new Fault("invalid", "value out of range");
  return value;
}

function goDuration(text: string): number {
  try {
    return parseDurationMs(text);
  } catch (error) {
    throw new Fault("invalid", "parse error", { cause: error }); // Go's flag package swallows the reason
  }
}

function handlersOf(setting: Setting<OptionValue> | undefined): ReadonlyMap<string, Setting<RuntimeHandler>> {
  if (setting === undefined || !Array.isArray(setting.value)) return new Map();
  const entries: readonly string[] = setting.value;
  return new Map(
    entries.map((entry) => {
      const { name, handler } = parseRuntimesFlag(entry);
      return [name, { value: handler, source: setting.source }];
    }),
  );
}

function notesOf(settings: ReadonlyMap<string, Setting<OptionValue>>): readonly Note[] {
  const isMisspelt = [...settings.values()].some(({ source }) => source.is === "env" && source.name === misspelt);
  if (!isMisspelt) return [];
  const fields = { variable: misspelt, use: "CONTAINER_INCLUDED_POD_METRICS" };
  return [{ level: "warn", message: "environment variable is deprecated", fields }];
}
