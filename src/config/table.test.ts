import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { builtInConfig } from "./defaults.ts";
import { flagRows } from "./flags.ts";
import { handlerOptions, resourceOptions, rows, valueAt, workloadOptions } from "./table.ts";
import { version } from "./version.ts";

const tables = Object.entries({ ...handlerOptions, ...workloadOptions, ...resourceOptions });

describe("the option table", () => {
  it("documents every option", () => {
    for (const [name, option] of [...rows.map(({ path, option }) => [path, option] as const), ...tables]) {
      assert.match(option.doc, /^[A-Z].{8,}[.)]$/, `documentation of ${name}`);
      assert.doesNotMatch(option.doc, /\s{2}|\n/, `blanks in the documentation of ${name}`);
    }
  });

  it("has every name once", () => {
    for (const names of [
      rows.map(({ path }) => path),
      flagRows.flatMap(({ flag, option }) => [flag, ...(option.alias === undefined ? [] : [option.alias])]),
      rows.flatMap(({ option }) => option.env ?? []),
    ]) {
      assert.deepEqual([...new Set(names)], names);
    }
  });

  it("has the 140 global flags of CRI-O, sorted", () => {
    assert.equal(flagRows.length, 140);
    const names = flagRows.map(({ flag }) => flag);
    assert.deepEqual(names, [...names].sort());
  });

  it("has a default of its kind for every option, which passes its own check", () => {
    for (const { path, option } of rows) {
      const check = option.check as ((value: unknown) => string | undefined) | undefined;
      assert.equal(check?.(option.default), undefined, path);
    }
  });

  it("is what a Config is read by", () => {
    const config = builtInConfig();
    for (const row of rows) assert.deepEqual(valueAt(config, row), row.option.default, row.path);
    assert.equal(config.api.listen, "/var/run/crio/crio.sock");
    assert.equal(config.nri.nriPluginRequestTimeoutMs, 2000);
    assert.equal(config.runtimes.get("crun")?.containerCreateTimeout, 240);
  });
});

describe("the version", () => {
  it("is that of package.json", async () => {
    const text = await readFile(new URL("../../package.json", import.meta.url), "utf8");
    assert.equal(JSON.parse(text).version, version);
  });
});
