import type { Command } from "../command.ts";

/**
 * Every subcommand, sorted by name. What a command needs is loaded when it runs, so that `crio version` starts fast.
 * The daemon is not in the list: it is what runs without a command.
 */
export const commands: readonly Command[] = [
  {
    name: "check",
    aliases: [],
    summary: "Check the storage directory for damage, and repair it.",
    doc: `Looks at all images, layers and containers in the storage directory, whoever made them, and reads layers back. What is
      damaged is named in the log. Exits with status 1 when damage is found, or left by a repair. A repair, and
      a wipe, want the daemon stopped.`,
    flags: [
      {
        flag: "age",
        alias: "a",
        isSwitch: false,
        default: "24h",
        doc: "Age below which an unused layer is no damage: a duration, or seconds.",
      },
      { flag: "force", alias: "f", isSwitch: true, doc: "Remove damaged containers too, and wipe whatever runs." },
      {
        flag: "quick",
        alias: "q",
        isSwitch: true,
        doc: "Compare digests of layers only, not names, modes and owners of files.",
      },
      { flag: "repair", alias: "r", isSwitch: true, doc: "Remove damaged images and layers." },
      {
        flag: "wipe",
        alias: "w",
        isSwitch: true,
        doc: "Remove the whole storage directory when it cannot be repaired.",
      },
    ],
    run: async (call) => (await import("./check.ts")).runCheck(call),
  },
  {
    name: "complete",
    aliases: ["completion"],
    summary: "Print the completion script of a shell: bash (the default), fish or zsh.",
    flags: [],
    takes: "[SHELL]",
    run: async (call) => (await import("./complete.ts")).printCompletion(call),
  },
  {
    name: "config",
    aliases: [],
    summary: "Check the configuration and print it as a commented crio.conf.",
    doc: `Reads the configuration files, the environment and the flags as the daemon would, and prints the result. Options that
      have their default are comments. Exits with status 1, without printing, when the configuration is not valid.`,
    flags: [
      {
        flag: "check",
        isSwitch: true,
        doc: "Print only what is wrong, with file and line, of named files too; exits with status 1 if anything is.",
      },
      { flag: "default", isSwitch: true, doc: "Print the defaults, without reading files and flags." },
      {
        flag: "migrate-defaults",
        alias: "m",
        isSwitch: false,
        doc: `Put today's defaults in the place of those of an older version, "1.17"; what that changes is printed on standard error.`,
      },
    ],
    plainLog: true,
    run: async (call) => (await import("./config.ts")).printConfig(call),
  },
  {
    name: "help",
    aliases: ["h"],
    summary: "Show the help of crio or of a command.",
    flags: [],
    takes: "[COMMAND]",
    run: async (call) => (await import("./help.ts")).printHelp(call),
  },
  {
    name: "man",
    aliases: [],
    summary: "Print the manual page for man(1).",
    flags: [],
    run: async (call) => (await import("./manual.ts")).printMan(call),
  },
  {
    name: "markdown",
    aliases: ["md"],
    summary: "Print the manual page as Markdown.",
    flags: [],
    run: async (call) => (await import("./manual.ts")).printMarkdown(call),
  },
  {
    name: "publish",
    aliases: [],
    summary: "Do nothing; containerd's shims call it to tell of events.",
    flags: [
      { flag: "topic", isSwitch: false, doc: "Swallowed.", hidden: true },
      { flag: "namespace", isSwitch: false, doc: "Swallowed.", hidden: true },
    ],
    hidden: true,
    run: async () => {},
  },
  {
    name: "status",
    aliases: [],
    summary: "Ask a running daemon for its configuration, its containers or its inner state.",
    flags: [
      { flag: "socket", alias: "s", isSwitch: false, default: "/var/run/crio/crio.sock", doc: "The daemon's socket." },
    ],
    terse: true,
    subcommands: [
      {
        name: "config",
        aliases: ["c"],
        summary: "Print the configuration the daemon runs with, as TOML.",
        flags: [],
        terse: true,
        run: async (call) => (await import("./status.ts")).printDaemonConfig(call),
      },
      {
        name: "containers",
        aliases: ["container", "cs", "s"],
        summary: "Print what the daemon knows of a container.",
        flags: [{ flag: "id", alias: "i", isSwitch: false, doc: "The container's full id." }],
        terse: true,
        run: async (call) => (await import("./status.ts")).printContainer(call),
      },
      {
        name: "goroutines",
        aliases: ["g"],
        summary:
          "Print what the daemon is doing right now: operations and active handles, in place of Go's goroutines.",
        flags: [],
        terse: true,
        run: async (call) => (await import("./status.ts")).printGoroutines(call),
      },
      {
        name: "heap",
        aliases: ["hp"],
        summary:
          "Write a heap snapshot of the daemon (V8's .heapsnapshot, for Chrome's developer tools, in place of Go's).",
        flags: [
          {
            flag: "file",
            alias: "f",
            isSwitch: false,
            doc: `The file to write; "-" is standard output, empty a file with a timestamp in the working directory.`,
          },
        ],
        terse: true,
        run: async (call) => (await import("./status.ts")).saveHeap(call),
      },
      {
        name: "info",
        aliases: ["i"],
        summary: "Print the daemon's cgroup driver, storage and default id mappings.",
        flags: [],
        terse: true,
        run: async (call) => (await import("./status.ts")).printInfo(call),
      },
      {
        name: "why",
        aliases: ["w"],
        summary: "Print what the daemon is doing, what that waits for, and what can be done about it.",
        doc: `With the id of a pod or container, what concerns that alone. For every operation under way: its stage, since when, what it
          waits for (a program, a lock and its holder, a registry), and what comes next.`,
        flags: [{ flag: "json", alias: "j", isSwitch: true, doc: "Print the daemon's answer as it is." }],
        takes: "[ID]",
        terse: true,
        run: async (call) => (await import("./status.ts")).printWhy(call),
      },
    ],
  },
  {
    name: "version",
    aliases: [],
    summary: "Print the version.",
    doc: `The names are CRI-O's. What concerns Go there concerns Node here: goVersion is the version of Node, compiler that of
      its engine.`,
    flags: [
      { flag: "json", alias: "j", isSwitch: true, doc: "Print JSON." },
      { flag: "verbose", alias: "v", isSwitch: true, doc: "Print the libraries too." },
    ],
    run: async (call) => (await import("./version.ts")).printVersion(call),
  },
  {
    name: "wipe",
    aliases: [],
    summary: "Remove CRI-O's containers and images from storage after a reboot or an upgrade.",
    doc: `Containers are removed when version_file is missing or of another minor version, their images when version_file_persist
      is; containers and images of other programs stay. After a crash or power failure the whole storage directory is removed, once a
      boot, except for podman's volumes and secrets. Unless forced, only this last part is done while internal_wipe is set, since
      the daemon does the rest when it starts. Wants the daemon stopped.`,
    flags: [{ flag: "force", alias: "f", isSwitch: true, doc: "Remove them whatever the version files say." }],
    run: async (call) => (await import("./wipe.ts")).runWipe(call),
  },
];
