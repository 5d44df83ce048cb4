import { type Config, durationText, type FlagRow, flagRows, valueAt } from "../config/index.ts";
import type { FlagSpec } from "./arguments.ts";
import type { CommandFlag } from "./command.ts";

/** The global flags for the argument parser: those of the option table and `--version`. */
export function globalFlagSpecs(): readonly FlagSpec[] {
  return [...flagRows.map(specOf), versionFlag];
}

/** `--version` is answered before anything else. */
export const versionFlag: FlagSpec = { flag: "version", alias: "v", isSwitch: true };

/** A flag as help, manual and completions show it. */
export interface ShownFlag {
  readonly flag: string;
  readonly alias: string | undefined;
  readonly isSwitch: boolean;
  /** May be given several times. */
  readonly isList: boolean;
  readonly doc: string;
  readonly default: string | undefined;
  readonly env: readonly string[];
}

/** The visible global flags, sorted by name, with the defaults of this configuration. */
export function shownGlobalFlags(defaults: Config): readonly ShownFlag[] {
  const own = [helpFlag, { ...versionFlag, ...plain, doc: "Print the version.", alias: versionFlag.alias }];
  const fromTable = flagRows.filter(({ option }) => option.hidden !== true).map((row) => shownRow(row, defaults));
  return [...fromTable, ...own].sort((a, b) => (a.flag < b.flag ? -1 : 1));
}

/** The visible flags of a command. */
export function shownCommandFlags(flags: readonly CommandFlag[]): readonly ShownFlag[] {
  const own = flags
    .filter(({ hidden }) => hidden !== true)
    .map((flag) => ({ ...flag, ...plain, alias: flag.alias, default: quotedOr(flag.default) }));
  return [...own, helpFlag].sort((a, b) => (a.flag < b.flag ? -1 : 1));
}

const plain = { isList: false, default: undefined, env: [] } as const;

const helpFlag: ShownFlag = { ...plain, flag: "help", alias: "h", isSwitch: true, doc: "Show help." };

function specOf({ flag, option }: FlagRow): FlagSpec {
  return { flag, alias: option.alias, isSwitch: option.kind === "bool" };
}

function shownRow(row: FlagRow, defaults: Config): ShownFlag {
  const { flag, option } = row;
  const deprecated = option.deprecated === undefined ? "" : ` Deprecated: ${option.deprecated}.`;
  return {
    flag,
    alias: option.alias,
    isSwitch: option.kind === "bool",
    isList: option.kind === "list",
    doc: `${option.doc}${deprecated}`,
    default: defaultText(row, defaults),
    env: option.env ?? [],
  };
}

function defaultText(row: FlagRow, defaults: Config): string | undefined {
  const value = valueAt(defaults, row);
  if (Array.isArray(value))
    return value.length === 0 ? undefined : value.map((item) => JSON.stringify(item)).join(", ");
  if (typeof value === "string") return quotedOr(value);
  return row.option.kind === "duration" ? durationText(Number(value)) : String(value);
}

function quotedOr(text: string | undefined): string | undefined {
  return text === undefined || text === "" ? undefined : JSON.stringify(text);
}
