import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { type Config, loadConfig, parseToml } from "../config/index.ts";
import { type KnownFlag, knownFlags, knownKeys } from "./testing/crio-names.ts";
import { crio } from "./testing.ts";

const template = await readFile(new URL("./testing/crio.conf", import.meta.url), "utf8");

const directory = await mkdtemp(join(tmpdir(), "crio-template-"));
after(() => rm(directory, { recursive: true, force: true }));

/** The template with every setting and table in force, the sentences left as they are. */
const allSet = template.replace(/^# (?=\[[a-z_.-]+\]$|[a-z_]+ = |\t"|\]$)/gm, "");

describe("a crio.conf that CRI-O has printed", () => {
  it("changes nothing as it is", async () => {
    const { config, defaults, notes } = await load(template);
    assert.deepEqual(config, withFiles(defaults, config));
    assert.deepEqual(
      notes.filter(({ level }) => level === "warn"),
      [],
    );
  });

  it("is understood to the last key when all of it is set", async () => {
    assert.ok((allSet.match(/^[a-z_]+ = /gm) ?? []).length > 140);
    const { config, defaults, notes } = await load(allSet);
    assert.deepEqual(
      notes.filter(({ message }) => /unknown/.test(message)),
      [],
    );
    const { runtimes, workloads, runtime, ...others } = config;
    assert.deepEqual(others, withoutTables(withFiles(defaults, config)));
    assert.deepEqual({ ...runtime, selinux: false }, { ...defaults.runtime, selinux: false });
    assert.deepEqual([...runtimes.keys(), ...workloads.keys()], ["crun", "workload-type"]);
    assert.deepEqual(runtimes.get("crun")?.allowedAnnotations, ["io.containers.trace-syscall", "devices.crio.io"]);
    assert.equal(workloads.get("workload-type")?.resources?.cpushares, 5n);
  });

  it("prints the same again", async () => {
    const path = await written(allSet);
    const { status, out } = await crio(["--config", path, "config"]);
    assert.equal(status, 0);
    const again = await load(out);
    assert.deepEqual(again.config, withFiles((await load(allSet)).config, again.config));
  });
});

describe("what crio config prints", () => {
  for (const args of [["config"], ["config", "--default"]]) {
    it(`is for CRI-O too: ${args.join(" ")} has its keys alone, of its types`, async () => {
      const { out } = await crio(args);
      const tables = new Map(tablesOf("", parseToml(out, "crio.conf")));
      const keys = new Map(Object.entries(knownKeys));
      for (const [name, table] of tables) {
        const known = keys.get(name.replace(/^crio\.runtime\.runtimes\.\w+$/, "crio.runtime.runtimes.NAME"));
        assert.ok(known !== undefined || name === "crio.runtime.runtimes", name);
        for (const [key, value] of Object.entries(table)) {
          if (isTable(value) && !isMap(key)) continue;
          assert.ok(known?.includes(key), `${name}.${key}`);
          const type = knownFlags.find((flag) => flag.key === `${name}.${key}`)?.type;
          if (type !== undefined) assert.ok(isOfType(value, type), `${name}.${key} is ${type}`);
        }
      }
    });
  }
});

/** Of handlers: a table that is a value. */
function isMap(key: string): boolean {
  return ["platform_runtime_paths", "default_annotations"].includes(key);
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function* tablesOf(
  name: string,
  table: Readonly<Record<string, unknown>>,
): Generator<readonly [string, Readonly<Record<string, unknown>>]> {
  if (name !== "") yield [name, table];
  for (const [key, value] of Object.entries(table)) {
    if (isTable(value) && !isMap(key)) yield* tablesOf(name === "" ? key : `${name}.${key}`, value);
  }
}

/** As a TOML reader for Go's types takes it. */
function isOfType(value: unknown, type: KnownFlag["type"]): boolean {
  switch (type) {
    case "Bool":
      return typeof value === "boolean";
    case "Int":
    case "Int64":
      return typeof value === "bigint" || Number.isSafeInteger(value);
    case "StringSlice":
      return Array.isArray(value) && value.every((item) => typeof item === "string");
    case "String":
    case "Duration":
      return typeof value === "string";
  }
}

async function load(text: string) {
  const path = await written(text);
  const env = { CONTAINERS_STORAGE_CONF: "/dev/null", CONTAINER_CONFIG_DIR: "" };
  return await loadConfig({ flags: new Map([["config", [path]]]), env });
}

async function written(text: string): Promise<string> {
  const path = join(directory, `${createHash("sha256").update(text).digest("hex")}.conf`);
  await writeFile(path, text);
  return path;
}

/** The path of the file differs, and nothing else is to. */
function withFiles(config: Config, { invocation }: Config): Config {
  return { ...config, invocation };
}

function withoutTables({ runtimes: _runtimes, workloads: _workloads, runtime: _runtime, ...others }: Config) {
  return others;
}
