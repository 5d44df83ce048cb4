import { type Config, version, wrapText } from "../config/index.ts";
import { about } from "./about.ts";
import type { Command } from "./command.ts";
import { type ShownFlag, shownCommandFlags, shownGlobalFlags } from "./global-flags.ts";

/** The help of the program: every visible command and global flag, sorted. */
export function programHelp(commands: readonly Command[], defaults: Config, columns: number): string {
  return sectionsText([
    ["NAME", `${about.name} - ${about.summary}`],
    ["USAGE", about.usage],
    ["VERSION", version],
    ["DESCRIPTION", wrapText(about.description, columns - 3).join("\n")],
    ["AUTHOR", about.author],
    ["COMMANDS", commandList(commands, columns)],
    ["GLOBAL OPTIONS", flagList(shownGlobalFlags(defaults), columns)],
  ]);
}

/** The help of one command; `path` is how it is called, `crio status config`. */
export function commandHelp(path: string, command: Command, columns: number): string {
  const { subcommands = [] } = command;
  return sectionsText([
    ["NAME", `${path} - ${command.summary}`],
    ["USAGE", usageOf(path, command)],
    ["DESCRIPTION", command.doc === undefined ? "" : wrapText(command.doc, columns - 3).join("\n")],
    ["COMMANDS", commandList(subcommands, columns)],
    ["OPTIONS", flagList(shownCommandFlags(command.flags), columns)],
  ]);
}

/** `crio complete [command options] [SHELL]` */
export function usageOf(path: string, command: Command): string {
  const subcommand = command.subcommands === undefined ? "" : " command [command options]";
  return `${path} [command options]${subcommand}${command.takes === undefined ? "" : ` ${command.takes}`}`;
}

function sectionsText(sections: readonly (readonly [title: string, text: string])[]): string {
  const shown = sections.filter(([, text]) => text !== "");
  return shown.map(([title, text]) => `${title}:\n${text.replace(/^(?=.)/gm, "   ")}\n`).join("\n");
}

function commandList(commands: readonly Command[], columns: number): string {
  const shown = commands.filter(({ hidden }) => hidden !== true);
  const names = shown.map(({ name, aliases }) => [name, ...aliases].join(", "));
  const width = Math.max(0, ...names.map(({ length }) => length)) + 2;
  return shown
    .map(({ summary }, at) => {
      const lines = wrapText(summary, Math.max(columns - width - 3, 30));
      return lines.map((line, row) => `${(row === 0 ? (names[at] ?? "") : "").padEnd(width)}${line}`).join("\n");
    })
    .join("\n");
}

function flagList(flags: readonly ShownFlag[], columns: number): string {
  return flags
    .map((flag) => {
      const details = wrapText([flag.doc, ...detailsOf(flag)].join(" "), Math.max(columns - 11, 40));
      return [headOf(flag), ...details.map((line) => `        ${line}`)].join("\n");
    })
    .join("\n");
}

function headOf({ flag, alias, isSwitch, isList }: ShownFlag): string {
  const value = isSwitch ? "" : " value";
  const names = [
    `--${flag}${value}`,
    ...(alias === undefined ? [] : [`${alias.length === 1 ? "-" : "--"}${alias}${value}`]),
  ];
  return `${names.join(", ")}${isList ? "  (repeatable, or joined by commas)" : ""}`;
}

function detailsOf(flag: ShownFlag): readonly string[] {
  return [
    ...(flag.default === undefined ? [] : [`(default: ${flag.default})`]),
    ...(flag.env.length === 0 ? [] : [`[${flag.env.map((name) => `$${name}`).join(", ")}]`]),
  ];
}
