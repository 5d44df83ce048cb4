import { codeOf, Fault, reasonOf } from "../base/index.ts";
import { type ParsedArguments, parseArguments } from "./arguments.ts";
import { type Call, type Command, commandNamed } from "./command.ts";
import { commands } from "./commands/index.ts";
import { globalFlagSpecs } from "./global-flags.ts";
import { fatalLine } from "./log.ts";
import type { Terminal } from "./terminal.ts";

/**
 * Runs crio with these arguments. Resolves with the exit status: 0, or 1 after a line `level=fatal msg=…` on standard error.
 * Never rejects.
 */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  let plain = false;
  try {
    await dispatch(args, terminal, (command) => {
      plain = command.plainLog === true;
    });
    return 0;
  } catch (error) {
    terminal.err(fatalLine(error, { plain }));
    return 1;
  }
}

async function dispatch(
  args: readonly string[],
  terminal: Terminal,
  chosen: (command: Command) => void,
): Promise<void> {
  const parsed = withUsage(terminal, "crio", () => parseArguments(args, globalFlagSpecs()));
  if (parsed.asksForHelp) return (await import("./commands/help.ts")).printProgramHelp(terminal);
  const { version: asksForVersion, ...globals } = separated(parsed);
  if (asksForVersion) return (await import("./commands/version.ts")).printProgramVersion(terminal);
  const [name = "", ...rest] = parsed.rest;
  const command = commandNamed(commands, name);
  const call: Call = { terminal, globals: globals.flags, flags: new Map(), args: parsed.rest };
  if (command === undefined) return (await import("./commands/daemon.ts")).runDaemonCommand(call);
  chosen(command);
  return runCommand([command], { ...call, args: rest });
}

/** Takes the command's flags off its arguments and runs it, or the subcommand that follows. */
async function runCommand(path: readonly Command[], call: Call): Promise<void> {
  const command = path.at(-1);
  if (command === undefined) return;
  const name = ["crio", ...path.map((part) => part.name)].join(" ");
  const parse = () => parseArguments(call.args, command.flags);
  const parsed = command.terse === true ? parse() : withUsage(call.terminal, name, parse);
  if (parsed.asksForHelp) return (await import("./commands/help.ts")).printCommandHelp(call.terminal, path);
  const inner = commandNamed(command.subcommands ?? [], parsed.rest[0] ?? "");
  const flags = new Map([...call.flags, ...parsed.flags]);
  if (inner !== undefined) return runCommand([...path, inner], { ...call, flags, args: parsed.rest.slice(1) });
  const [unwanted] = command.takes === undefined ? parsed.rest : [];
  if (unwanted !== undefined) {
    throw new Fault("invalid", `${name} takes no argument ${JSON.stringify(unwanted)}`);
  }
  if (command.run === undefined) return (await import("./commands/help.ts")).printCommandHelp(call.terminal, path);
  await command.run({ ...call, flags, args: parsed.rest });
}

function separated(parsed: ParsedArguments): { readonly version: boolean; readonly flags: ParsedArguments["flags"] } {
  const flags = new Map(parsed.flags);
  const version = flags.get("version")?.at(-1) === "true";
  flags.delete("version");
  return { version, flags };
}

/** A wrong flag is answered with where to look, before the error itself. */
function withUsage<T>(terminal: Terminal, name: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (codeOf(error) === "invalid") {
      terminal.err(`Incorrect usage: ${reasonOf(error)}\n\nUSAGE:\n   ${name} [options]; see "${name} --help"\n\n`);
    }
    throw error;
  }
}
