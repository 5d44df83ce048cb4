import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { flagRows, parseToml, version } from "../config/index.ts";
import { commands } from "./commands/index.ts";
import { crio } from "./testing.ts";

describe("crio version", () => {
  it("prints aligned text without a newline at the end", async () => {
    const { status, out, err } = await crio(["version"]);
    assert.deepEqual([status, err], [0, ""]);
    assert.match(out, new RegExp(`^Version: +${version.replaceAll(".", "\\.")}\n`));
    assert.match(out, /^BuildTags:\n {2}\w/m);
    assert.doesNotMatch(out, /\n$/);
  });

  it("prints JSON under CRI-O's names, nothing empty", async () => {
    const json = JSON.parse((await crio(["version", "--json"])).out);
    assert.equal(json.version, version);
    assert.deepEqual(Object.keys(json).slice(0, 6), [
      "version",
      "gitCommit",
      "gitCommitDate",
      "gitTreeState",
      "buildDate",
      "goVersion",
    ]);
    assert.equal(typeof json.seccompEnabled, "boolean");
    for (const value of Object.values(json)) assert.notEqual(value, "");
  });

  it("answers --version and -v with the line that installers read first", async () => {
    for (const flag of ["--version", "-v"]) {
      assert.match((await crio([flag])).out, new RegExp(`^crio version ${version}\n {3}Version: `));
    }
  });

  it("needs no configuration to be right", async () => {
    assert.equal((await crio(["version"], { CONTAINER_CONFIG: "/no/such/file" })).status, 0);
  });
});

describe("crio config", () => {
  it("prints a template that is TOML, and logs to standard error without timestamps", async () => {
    const { status, out, err } = await crio(["--log-level=debug", "--pids-limit=7", "config"]);
    assert.equal(status, 0);
    assert.match(out, /^log_level = "debug"$/m);
    assert.match(out, /^# log_dir = /m);
    assert.ok(parseToml(out, "out").crio);
    assert.match(err, /^level=warning msg="configuration key is deprecated" key=crio.runtime.pids_limit /);
  });

  it("prints the defaults whatever files and flags say", async () => {
    const { status, out } = await crio(["--log-level=debug", "config", "--default"], { CONTAINER_CONFIG: "/no/such" });
    assert.equal(status, 0);
    assert.match(out, /^log_level = "info"$/m);
  });

  it("prints nothing when the configuration is not valid, and says what, all of it", async () => {
    const { status, out, err } = await crio(["--log-size-max=100", "--image-volumes=x", "config"]);
    assert.deepEqual([status, out], [1, ""]);
    assert.match(err, /^level=fatal msg="invalid configuration: .*log size max.*; .*unrecognized image volume type/m);
  });

  it("names a file that is missing", async () => {
    const { status, err } = await crio(["--config", "/no/such/file", "config"]);
    assert.equal(status, 1);
    assert.match(
      err,
      /^level=fatal msg="update config from file: \/no\/such\/file does not exist \(named by --config\)"$/m,
    );
  });
});

describe("crio help", () => {
  it("shows every visible command and flag, with variables and defaults", async () => {
    const { status, out } = await crio(["--help"]);
    assert.equal(status, 0);
    assert.deepEqual(out.match(/^[A-Z ]+:$/gm), [
      "NAME:",
      "USAGE:",
      "VERSION:",
      "DESCRIPTION:",
      "AUTHOR:",
      "COMMANDS:",
      "GLOBAL OPTIONS:",
    ]);
    const shown = [...out.matchAll(/^ {3}--([a-z0-9-]+)/gm)].map(([, flag]) => flag);
    const visible = flagRows.filter(({ option }) => option.hidden !== true).map(({ flag }) => flag);
    assert.deepEqual(shown, [...visible, "help", "version"].sort());
    for (const { option } of flagRows.filter((row) => row.option.hidden !== true)) {
      for (const name of option.env ?? []) assert.ok(out.includes(`$${name}`), name);
    }
    assert.ok(out.split("\n").every((line) => line.length <= 100 || !/\S\s/.test(line))); // one word may be longer
  });

  it("is the same by every way", async () => {
    const { out } = await crio(["--help"]);
    for (const args of [["-h"], ["help"], ["h"]]) assert.equal((await crio(args)).out, out);
    assert.equal((await crio(["help", "version"])).out, (await crio(["version", "--help"])).out);
    assert.equal((await crio(["help", "status", "heap"])).out, (await crio(["status", "heap", "-h"])).out);
  });

  it("is shown by status without a subcommand", async () => {
    const { status, out } = await crio(["status"]);
    assert.equal(status, 0);
    assert.match(out, /COMMANDS:\n {3}config, c /);
  });

  it("refuses to help with what is not there", async () => {
    assert.equal((await crio(["help", "fly"])).status, 1);
  });
});

describe("crio", () => {
  const refused: readonly (readonly [string, RegExp])[] = [
    ["fly", /level=fatal msg="command \\"fly\\" not supported"/],
    ["--fly", /Incorrect usage: .*\n\nUSAGE:[\s\S]*level=fatal msg="flag provided but not defined: -fly"/],
    ["--metrics-port foo config", /level=fatal msg="invalid value \\"foo\\" for flag -metrics-port: parse error"/],
    ["version --fly", /Incorrect usage[\s\S]*level=fatal msg="flag provided but not defined: -fly"/],
    ["version x", /level=fatal msg="crio version takes no argument \\"x\\""/],
    ["version --json=maybe", /level=fatal msg="invalid boolean value \\"maybe\\" for -json: parse error"/],
    ["status --fly", /^time="[^"]*" level=fatal msg="flag provided but not defined: -fly"\n$/],
    ["status fly", /takes no argument/],
    ["check --age=soon", /invalid value \\"soon\\" for flag -age: /],
    ["wipe --force all", /crio wipe takes no argument \\"all\\"/],
    ["--log-format=xml", /unknown log-format \\"xml\\"/],
    ["--log-level=loud", /not a valid log level/],
    ["--log=/no/such/dir/log", /cannot open the log file/],
    ["--cgroup-manager=openrc", /invalid cgroup_manager/],
  ];
  for (const [line, message] of refused) {
    it(`refuses ${line} with status 1`, async () => {
      const { status, out, err } = await crio(line.split(" "));
      assert.deepEqual([status, out], [1, ""]);
      assert.match(err, message);
    });
  }

  it("does nothing for containerd's shims, whatever the configuration", async () => {
    const args = ["--address", "/run/x.sock", "publish", "--topic", "t", "--namespace", "n"];
    assert.deepEqual(await crio(args, { CONTAINER_CONFIG: "/no/such" }), { status: 0, out: "", err: "" });
  });

  it("puts its last words into the log file too", async () => {
    const directory = await mkdtemp(join(tmpdir(), "crio-cli-"));
    try {
      const [log, config] = [join(directory, "log"), join(directory, "crio.conf")];
      await writeFile(config, "[crio.runtime]\npids_limit = 3\nlog_size_max = 3\n");
      const { status } = await crio(["--log", log, "--log-format=json", "--config", config]);
      assert.equal(status, 1);
      const lines = (await readFile(log, "utf8")).trim().split("\n");
      const parsed = lines.map((line) => JSON.parse(line));
      assert.deepEqual(
        parsed.map(({ level }) => level),
        ["info", "warning", "warning", "fatal"],
      );
      assert.match(parsed[3].msg, /crio\.conf, line 3: crio\.runtime\.log_size_max: /);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});

describe("the list of commands", () => {
  it("is sorted and has every name once", () => {
    for (const list of [commands, ...commands.map(({ subcommands = [] }) => subcommands)]) {
      const names = list.map(({ name }) => name);
      assert.deepEqual(names, [...names].sort());
      const all = list.flatMap(({ name, aliases }) => [name, ...aliases]);
      assert.equal(new Set(all).size, all.length);
    }
  });
});
