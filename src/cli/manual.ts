import { builtInConfig } from "../config/index.ts";
import { about } from "./about.ts";
import type { Command } from "./command.ts";
import { type ShownFlag, shownCommandFlags, shownGlobalFlags } from "./global-flags.ts";
import { usageOf } from "./help.ts";

/** A piece of the manual page; `md` and `man` write the same pieces. */
export type Block =
  | { readonly is: "heading"; readonly level: 1 | 2 | 3; readonly text: string }
  | { readonly is: "text"; readonly text: string }
  | { readonly is: "code"; readonly lines: readonly string[] }
  /** A term in bold, what follows it, and its explanation. */
  | { readonly is: "term"; readonly term: string; readonly after: string; readonly text: string };

/** The manual page crio(8), derived from the commands and the option table. Defaults are those without storage.conf. */
export function manual(commands: readonly Command[]): readonly Block[] {
  const flags = shownGlobalFlags(builtInConfig());
  const shown = commands.filter(({ hidden }) => hidden !== true);
  return [
    heading(1, "NAME"),
    text(`${about.name} - ${about.summary}`),
    heading(1, "SYNOPSIS"),
    text(about.name),
    { is: "code", lines: flags.map(synopsisOf) },
    heading(1, "DESCRIPTION"),
    text(about.description),
    text("What concerns Go in CRI-O concerns Node here: see status goroutines, status heap, version and --profile."),
    text("**Usage**:"),
    { is: "code", lines: [about.usage] },
    heading(1, "GLOBAL OPTIONS"),
    ...flags.map(flagBlock),
    heading(1, "COMMANDS"),
    ...shown.flatMap((command) => commandBlocks(command, 2, "crio")),
    heading(1, "FILES"),
    file("/etc/crio/crio.conf", "The configuration; see crio.conf(5) and crio config."),
    file("/etc/crio/crio.conf.d", "Configuration files that are read after it, in the order of their names."),
    file(
      "/etc/containers/policy.json",
      "Which images may be pulled, by their signatures; see containers-policy.json(5).",
    ),
    file("/etc/containers/registries.conf", "Registries, mirrors and short names; see containers-registries.conf(5)."),
    file(
      "/etc/containers/storage.conf",
      "Where and how images and containers are stored; see containers-storage.conf(5).",
    ),
    heading(1, "ENVIRONMENT"),
    {
      is: "term",
      term: "KUBENSMNT",
      after: "",
      text: "Path of a bind-mounted mount namespace for crio to join at its start; the log says whether it has.",
    },
    heading(1, "SEE ALSO"),
    text("crio.conf(5), crio.conf.d(5), crun(1), runc(8), conmon(8), crictl(1)"),
  ];
}

function commandBlocks(command: Command, level: 2 | 3, path: string): readonly Block[] {
  const { subcommands = [] } = command;
  const own = `${path} ${command.name}`;
  return [
    heading(level, [command.name, ...command.aliases].join(", ")),
    text(command.summary),
    ...(command.doc === undefined ? [] : [text(command.doc.replace(/\s+/g, " "))]),
    { is: "code", lines: [usageOf(own, command)] },
    ...shownCommandFlags(command.flags).map(flagBlock),
    ...subcommands.flatMap((inner) => commandBlocks(inner, 3, own)),
  ];
}

function heading(level: 1 | 2 | 3, title: string): Block {
  return { is: "heading", level, text: title };
}

function text(words: string): Block {
  return { is: "text", text: words };
}

function file(path: string, words: string): Block {
  return { is: "term", term: path, after: "", text: words };
}

function synopsisOf({ flag, alias, isSwitch }: ShownFlag): string {
  const short = alias === undefined ? "" : `|${alias.length === 1 ? "-" : "--"}${alias}`;
  return `[--${flag}${short}]${isSwitch ? "" : "=[value]"}`;
}

function flagBlock({ flag, alias, isSwitch, doc, default: shown, env }: ShownFlag): Block {
  const names = [`--${flag}`, ...(alias === undefined ? [] : [`${alias.length === 1 ? "-" : "--"}${alias}`])];
  const more = [
    ...(shown === undefined ? [] : [`(default: ${shown})`]),
    ...(env.length === 0 ? [] : [`[${env.map((name) => `$${name}`).join(", ")}]`]),
  ];
  return { is: "term", term: names.join(", "), after: isSwitch ? "" : '=""', text: [doc, ...more].join(" ") };
}
