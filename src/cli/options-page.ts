import { builtInConfig, durationText, type Option, rows, tableKeys, valueAt } from "../config/index.ts";
import type { Command } from "./command.ts";

/** docs/options.md: every key of crio.conf, every flag and every command, with its state. Pure. */
export function optionsPage(commands: readonly Command[]): string {
  const defaults = builtInConfig();
  const keys = rows.filter(({ path }) => path.startsWith("crio"));
  const tables = Map.groupBy(keys, ({ path, key }) => path.slice(0, -key.length - 1));
  return [
    "# Options and commands",
    "",
    "Made by `node scripts/document-options.ts` from the option table in src/config/options; a test fails when it is out of date, or when a name that",
    "CRI-O has is missing. State: **works**, **no effect yet** (and what is so instead; setting it is logged), **deprecated** (and what to use",
    "instead; it still works). Reload: what SIGHUP changes in a running daemon, *value* or only the *content* of what is named; else a restart does.",
    "Defaults of storage come from storage.conf where there is one.",
    "",
    ...[...tables].flatMap(([table, members]) => [
      `## [${table}]`,
      "",
      ...tableOf(
        ["key", "type", "default", "flag", "variable", "reload", "state"],
        members.map((row) => [
          code(row.key),
          types[row.option.kind],
          code(shown(valueAt(defaults, row), row.option)),
          flagOf(row.option),
          (row.option.env ?? []).map(code).join(" "),
          reloads[row.option.reload ?? "restart"],
          stateOf(row.option),
        ]),
      ),
      "",
    ]),
    ...tableKeys.flatMap(({ table, options }) => [
      `## [${table}]`,
      "",
      ...tableOf(
        ["key", "type", "state"],
        Object.entries(options).map(([key, option]) => [code(key), types[option.kind], stateOf(option)]),
      ),
      "",
    ]),
    "Handlers are reloaded as a whole; those that go stay for the pods that have them. A workload waits for the next start.",
    "",
    "## Flags without a key",
    "",
    ...tableOf(
      ["flag", "type", "default", "variable", "state"],
      rows
        .filter(({ path }) => path.startsWith("--"))
        .map((row) => [
          flagOf(row.option),
          types[row.option.kind],
          code(shown(valueAt(defaults, row), row.option)),
          (row.option.env ?? []).map(code).join(" "),
          stateOf(row.option),
        ]),
    ),
    "",
    "## Commands",
    "",
    ...tableOf(
      ["command", "flags", "what it does"],
      commands.flatMap((command) => commandRows(command, "crio")),
    ),
    "",
  ].join("\n");
}

const types: Readonly<Record<Option["kind"], string>> = {
  text: "text",
  bool: "true or false",
  int: "integer",
  int64: "integer, 64 bits",
  uint64: "integer, 64 bits, not negative",
  duration: "duration",
  list: "list of texts",
  map: "table of texts",
};

const reloads = { live: "value", content: "content", restart: "" } as const;

function stateOf({ notYet, deprecated, hidden }: Option): string {
  const state = notYet === undefined ? "works" : `**no effect yet**: ${notYet}`;
  return [
    state,
    ...(deprecated === undefined ? [] : [`**deprecated**: ${deprecated}`]),
    ...(hidden === true ? ["hidden"] : []),
  ].join("; ");
}

function flagOf({ flag, alias }: Option): string {
  if (flag === undefined) return "";
  return [`--${flag}`, ...(alias === undefined ? [] : [alias.length === 1 ? `-${alias}` : `--${alias}`])]
    .map(code)
    .join(" ");
}

function shown(value: ReturnType<typeof valueAt>, { kind }: Option): string {
  if (kind === "duration") return durationText(Number(value));
  if (value instanceof Map) return JSON.stringify(Object.fromEntries(value));
  return typeof value === "bigint" ? String(value) : JSON.stringify(value);
}

function commandRows(command: Command, above: string): readonly (readonly string[])[] {
  const name = `${above} ${command.name}`;
  const aliases = command.aliases.length === 0 ? "" : ` (${command.aliases.join(", ")})`;
  const flags = command.flags.map(({ flag, alias }) => code(`--${flag}${alias === undefined ? "" : `, -${alias}`}`));
  const inner = (command.subcommands ?? []).flatMap((each) => commandRows(each, name));
  return [[`${code(name)}${aliases}`, flags.join(" "), command.summary], ...inner];
}

function tableOf(head: readonly string[], lines: readonly (readonly string[])[]): readonly string[] {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...lines.map(line)];
}

function code(text: string): string {
  return text === "" ? "" : `\`${text}\``;
}
