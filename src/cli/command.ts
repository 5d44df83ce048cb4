import { Fault, reasonOf } from "../base/index.ts";
import { type GivenFlags, parseGoBool } from "../config/index.ts";
import type { FlagSpec } from "./arguments.ts";
import type { Terminal } from "./terminal.ts";

/** A flag of a subcommand. Global flags come from the option table. */
export interface CommandFlag extends FlagSpec {
  readonly doc: string;
  /** Shown in the help. */
  readonly default?: string;
  readonly hidden?: boolean;
}

/** What a command is run with. */
export interface Call {
  readonly terminal: Terminal;
  /** The global flags, which stand before the command. */
  readonly globals: GivenFlags;
  /** The command's own flags, and for a subcommand those of the command above too. */
  readonly flags: GivenFlags;
  /** What stands behind the flags. */
  readonly args: readonly string[];
}

/** A subcommand, such as `crio version`. */
export interface Command {
  readonly name: string;
  readonly aliases: readonly string[];
  /** One sentence for the list of commands. */
  readonly summary: string;
  /** More for the command's own help. */
  readonly doc?: string;
  readonly flags: readonly CommandFlag[];
  /** What stands behind the flags, for the usage line, such as `[SHELL]`. Without it nothing may. */
  readonly takes?: string;
  readonly hidden?: boolean;
  readonly subcommands?: readonly Command[];
  /** Its log, the last words too, is text without timestamps. */
  readonly plainLog?: boolean;
  /** A wrong flag is answered without the usage text. */
  readonly terse?: boolean;
  /** Rejects with a Fault to end with exit status 1. Absent for a command that only holds others. */
  run?(call: Call): Promise<void>;
}

/** The command of this name or alias. */
export function commandNamed(commands: readonly Command[], name: string): Command | undefined {
  return commands.find((command) => command.name === name || command.aliases.includes(name));
}

/** The last text of a flag, or `fallback`. */
export function flagText(flags: GivenFlags, name: string, fallback: string): string {
  return flags.get(name)?.at(-1) ?? fallback;
}

/** Whether a switch was given and not as `=false`. Throws `Fault("invalid")` for a value that is neither true nor false. */
export function isOn(flags: GivenFlags, name: string): boolean {
  const text = flagText(flags, name, "false");
  try {
    return parseGoBool(text);
  } catch (error) {
    throw new Fault("invalid", `invalid boolean value ${JSON.stringify(text)} for -${name}: ${reasonOf(error)}`);
  }
}
