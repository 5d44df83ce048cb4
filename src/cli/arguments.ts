import { Fault } from "../base/index.ts";
import { suggestion } from "../config/index.ts";

/** What the parser has to know of a flag. */
export interface FlagSpec {
  /** Without dashes. */
  readonly flag: string;
  readonly alias?: string | undefined;
  /** A switch takes a value by `--flag=false` only; any other flag takes the next argument too. */
  readonly isSwitch: boolean;
}

/** Arguments taken apart. */
export interface ParsedArguments {
  /** The texts of each flag under its full name, in their order. A switch without a value has `true`. */
  readonly flags: ReadonlyMap<string, readonly string[]>;
  /** From the first argument on that is no flag. */
  readonly rest: readonly string[];
  /** The names of flags that ask for help instead: `help` or `h`. */
  readonly asksForHelp: boolean;
}

/**
 * Takes arguments apart as Go's flag package does: one dash or two, `--flag=value` or `--flag value`, until the first argument
 * that is no flag or until `--`. Throws `Fault("invalid")` with its words for an unknown flag or a missing value.
 */
export function parseArguments(args: readonly string[], specs: readonly FlagSpec[]): ParsedArguments {
  const flags = new Map<string, string[]>();
  let asksForHelp = false;
  let at = 0;
  for (; at < args.length; at++) {
    const arg = args[at] ?? "";
    if (arg === "--") return { flags, rest: args.slice(at + 1), asksForHelp };
    if (!arg.startsWith("-") || arg === "-") break;
    const { name, value } = split(arg);
    const spec = specs.find(({ flag, alias }) => flag === name || alias === name);
    if (spec === undefined && (name === "help" || name === "h")) {
      asksForHelp = value !== "false";
      continue;
    }
    if (spec === undefined) throw unknownFlag(name, specs);
    const text = value ?? (spec.isSwitch ? "true" : args[++at]);
    if (text === undefined) throw new Fault("invalid", `flag needs an argument: -${name}`);
    flags.set(spec.flag, [...(flags.get(spec.flag) ?? []), text]);
  }
  return { flags, rest: args.slice(at), asksForHelp };
}

function split(arg: string): { readonly name: string; readonly value: string | undefined } {
  const body = arg.slice(arg.startsWith("--") ? 2 : 1);
  if (body === "" || body.startsWith("-") || body.startsWith("="))
    throw new Fault("invalid", `bad flag syntax: ${arg}`);
  const end = body.indexOf("=");
  return end < 0 ? { name: body, value: undefined } : { name: body.slice(0, end), value: body.slice(end + 1) };
}

function unknownFlag(name: string, specs: readonly FlagSpec[]): Fault {
  const meant = suggestion(
    name,
    specs.map(({ flag }) => flag),
  );
  const hint = meant === undefined ? "" : ` (did you mean --${meant}?)`;
  return new Fault("invalid", `flag provided but not defined: -${name}${hint}`);
}
