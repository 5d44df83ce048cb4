import { Fault } from "../../base/index.ts";
import { builtInConfig, defaultConfig } from "../../config/index.ts";
import { type Call, type Command, commandNamed } from "../command.ts";
import { commandHelp, programHelp } from "../help.ts";
import type { Terminal } from "../terminal.ts";
import { commands } from "./index.ts";

/** `crio help [COMMAND [SUBCOMMAND]]` */
export async function printHelp({ terminal, args }: Call): Promise<void> {
  const [name, inner] = args;
  if (name === undefined) return printProgramHelp(terminal);
  const command = found(commands, name);
  if (inner === undefined) return printCommandHelp(terminal, [command]);
  printCommandHelp(terminal, [command, found(command.subcommands ?? [], inner)]);
}

/** The help of the program, with the defaults of this host; those of the table when storage.conf cannot be read. */
export async function printProgramHelp(terminal: Terminal): Promise<void> {
  const defaults = await defaultConfig(terminal.env).catch(builtInConfig);
  terminal.out(programHelp(commands, defaults, terminal.columns));
}

/** The help of a command, given with the commands above it. */
export function printCommandHelp(terminal: Terminal, path: readonly Command[]): void {
  const command = path.at(-1);
  if (command === undefined) return;
  const name = ["crio", ...path.map((part) => part.name)].join(" ");
  terminal.out(commandHelp(name, command, terminal.columns));
}

function found(among: readonly Command[], name: string): Command {
  const command = commandNamed(among, name);
  if (command === undefined)
    throw new Fault("invalid", `no help for ${JSON.stringify(name)}: there is no such command`);
  return command;
}
