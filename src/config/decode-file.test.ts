import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { decodeConfigFile } from "./decode-file.ts";
import type { Kind } from "./option.ts";
import { handlerOptions, resourceOptions, rows, sections, workloadOptions } from "./table.ts";

/** For each kind what is not of it. */
const wrong: Readonly<Record<Kind, readonly string[]>> = {
  text: ["1", "1.5", "true", "[]", '["a"]', "{}", "1979-05-27"],
  bool: ['"true"', "1", "1.0", "[]", "{}"],
  int: ['"1"', "1.0", "true", "[]", "{}", "9007199254740993", "99999999999999999999999"],
  int64: ['"1"', "1.0", "true", "[]", "{}", "9223372036854775808"],
  uint64: ['"1"', "1.0", "-1", "true", "[]", "9223372036854775808"],
  duration: ['"1"', '"soon"', "1.5", "true", "[]", "9223372036854775808"],
  list: ['"a"', "1", "true", "{}", "[1]", '["a", ["b"]]', '["a", 1]'],
  map: ['"a"', "1", "[]", "{ a = 1 }", "{ a.b = '1' }"],
};

interface Place {
  readonly table: string;
  readonly key: string;
  readonly kind: Kind;
}

const places: readonly Place[] = [
  ...rows.flatMap(({ section, key, option }) => {
    const table = sections[section].table;
    return table === undefined ? [] : [{ table, key, kind: option.kind }];
  }),
  ...named("crio.runtime.runtimes.x", handlerOptions),
  ...named("crio.runtime.workloads.x", workloadOptions),
  ...named("crio.runtime.workloads.x.resources", resourceOptions),
];

function named(table: string, options: Readonly<Record<string, { readonly kind: Kind }>>): readonly Place[] {
  return Object.entries(options).map(([key, { kind }]) => ({ table, key, kind }));
}

function messageFor(text: string): string {
  try {
    decodeConfigFile(text, "/etc/crio/crio.conf");
  } catch (error) {
    assert.ok(isFault(error, "invalid"));
    return error.message;
  }
  return "";
}

describe("decodeConfigFile", () => {
  it("refuses values of the wrong type for every key, with file, line and key", () => {
    for (const { table, key, kind } of places) {
      for (const value of wrong[kind]) {
        const message = messageFor(`\n[${table}]\n# a comment\n${key} = ${value}\n`);
        const start = `unable to decode configuration /etc/crio/crio.conf: line 4: ${table}.${key}: `;
        assert.ok(message.startsWith(start), `${table}.${key} = ${value}: ${message}`);
      }
    }
  });

  it("refuses anything but tables where tables belong", () => {
    const tables = ["crio", ...rows.flatMap(({ section }) => sections[section].table ?? []), "crio.runtime.runtimes"];
    for (const table of new Set([...tables, "crio.runtime.workloads", "crio.runtime.runtimes.x"])) {
      for (const value of ["1", '"x"', "true", "[]", "[{}]", "1979-05-27"]) {
        assert.match(
          messageFor(`${table} = ${value}`),
          /line 1: .*: expected a table, found an? /,
          `${table} = ${value}`,
        );
      }
    }
  });

  it("takes hostile keys for unknown ones", () => {
    const { layer, notes } = decodeConfigFile(
      `[__proto__]\na = 1\n[crio.__proto__]\nroot = "/evil"\n[crio.api]\nconstructor = 1\n"__proto__" = { listen = "/x" }
toString = "x"\n[crio.runtime.runtimes.__proto__]\nruntime_path = "/p"\n[crio.runtime.runtimes.x]\n__proto__.runtime_path = "y"`,
      "f",
    );
    assert.equal(layer.settings.size, 0);
    assert.deepEqual([...layer.handlers.keys()], ["__proto__", "x"]); // a name is a name
    assert.equal(layer.handlers.get("x")?.value.runtimePath, "");
    assert.equal(notes.length, 6);
    assert.equal(({} as { root?: string }).root, undefined);
  });

  it("names file, line and the key that was meant for unknown keys", () => {
    const { notes } = decodeConfigFile(
      "[crio.runtime]\npid_limit = 3\npause_image = 'x'\n[crio.imag]\n[other]\nx=1",
      "f",
    );
    assert.deepEqual(
      notes.map(({ fields }) => [fields.key, fields.line, fields["did you mean"]]),
      [
        ["crio.runtime.pid_limit", 2, "pids_limit"],
        ["crio.runtime.pause_image", 3, "crio.image.pause_image"],
        ["crio.imag", 4, "image"],
        ["other", 5, undefined],
      ],
    );
    assert.ok(notes.every(({ level, fields }) => level === "warn" && fields.file === "f"));
  });

  it("matches keys without regard to case, the exact spelling first", () => {
    const { layer, notes } = decodeConfigFile(
      '[CRIO.Runtime]\nLog_Level = "debug"\n[crio.api]\nLISTEN="/b"\nlisten="/a"',
      "f",
    );
    assert.equal(layer.settings.get("crio.runtime.log_level")?.value, "debug");
    assert.deepEqual(layer.settings.get("crio.runtime.log_level")?.source, { is: "file", file: "f", line: 2 });
    assert.equal(layer.settings.get("crio.api.listen")?.value, "/a");
    assert.deepEqual(notes, []);
  });

  it("reads durations as text and as nanoseconds", () => {
    const text = '[crio.image]\npull_progress_timeout = "1m30s"\n[crio.nri]\nnri_plugin_request_timeout = 1500000';
    const { layer } = decodeConfigFile(text, "f");
    assert.equal(layer.settings.get("crio.image.pull_progress_timeout")?.value, 90_000);
    assert.equal(layer.settings.get("crio.nri.nri_plugin_request_timeout")?.value, 1.5);
  });

  it("reads handlers and workloads", () => {
    const { layer } = decodeConfigFile(
      `[crio.runtime.runtimes.kata]
runtime_type = "vm"
default_annotations = { "a.b/c" = "d" }
platform_runtime_paths."os/arch" = "/x"
[crio.runtime.workloads.mgmt]
activation_annotation = "target"
[crio.runtime.workloads.mgmt.resources]
cpushares = 512
cpuset = "0-1"`,
      "f",
    );
    const kata = layer.handlers.get("kata")?.value;
    assert.equal(kata?.runtimeType, "vm");
    assert.deepEqual(kata?.defaultAnnotations, new Map([["a.b/c", "d"]]));
    assert.deepEqual(kata?.platformRuntimePaths, new Map([["os/arch", "/x"]]));
    const mgmt = layer.workloads.get("mgmt")?.value;
    assert.deepEqual(mgmt?.resources, { cpushares: 512n, cpuquota: 0n, cpuperiod: 0n, cpuset: "0-1", cpulimit: 0n });
  });

  it("says file, line and column for broken TOML", () => {
    assert.match(
      messageFor("[crio]\nroot = "),
      /^unable to decode configuration \/etc\/crio\/crio\.conf: line 2, column \d+: /,
    );
  });
});
