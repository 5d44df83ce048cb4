import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { flagRows, type Kind, rows, tableKeys } from "../config/index.ts";
import type { Command } from "./command.ts";
import { commands } from "./commands/index.ts";
import { optionsPage } from "./options-page.ts";
import { type KnownFlag, knownCommands, knownFlags, knownKeys, reloadedKeys } from "./testing/crio-names.ts";

const kinds: Readonly<Record<KnownFlag["type"], readonly Kind[]>> = {
  String: ["text"],
  Bool: ["bool"],
  Int: ["int"],
  Int64: ["int64", "int"],
  Duration: ["duration"],
  StringSlice: ["list"],
};

/** What an operator of CRI-O finds where it was. */
describe("what CRI-O has a name for", () => {
  it("is here: every flag, of the same type, with its variables, its short name and its key", () => {
    assert.equal(knownFlags.length, 140);
    for (const known of knownFlags) {
      const row = flagRows.find(({ flag }) => flag === known.flag);
      assert.ok(row !== undefined, `--${known.flag}`);
      const { kind, env = [], alias, hidden } = row.option;
      assert.ok(kinds[known.type].includes(kind), `--${known.flag} is ${known.type} there and ${kind} here`);
      assert.deepEqual([...env].toSorted(), [...(known.env ?? [])].toSorted(), `--${known.flag}`);
      assert.deepEqual(
        { alias, hidden: hidden === true },
        { alias: known.alias, hidden: known.hidden === true },
        known.flag,
      );
      if (known.key !== undefined) assert.equal(row.path, known.key);
    }
  });

  it("is here: every key of crio.conf", () => {
    const named = new Map(tableKeys.map(({ table, options }) => [table, Object.keys(options)]));
    for (const [table, keys] of Object.entries(knownKeys)) {
      const here = named.get(table) ?? rows.filter(({ path, key }) => path === `${table}.${key}`).map(({ key }) => key);
      assert.deepEqual([...here].toSorted(), [...keys].toSorted(), table);
    }
  });

  it("is reloaded where CRI-O reloads it, unless that is said to differ", () => {
    for (const [path, how] of Object.entries(reloadedKeys)) {
      const row = rows.find((each) => each.path === path);
      assert.ok(row !== undefined, path);
      if (path === "crio.runtime.default_runtime") continue; // docs/differences.md
      assert.ok(row.option.notYet !== undefined || [how, "live"].includes(row.option.reload ?? "restart"), path);
    }
  });

  it("is here: every command with its aliases and flags", () => {
    for (const known of knownCommands) {
      const command = commandAt(known.name);
      assert.ok(command !== undefined, known.name);
      assert.deepEqual(command.aliases, known.aliases ?? [], known.name);
      assert.equal(command.hidden === true, known.hidden === true, known.name);
      const flags = command.flags.flatMap(({ flag, alias }) => [
        `--${flag}`,
        ...(alias === undefined ? [] : [`-${alias}`]),
      ]);
      for (const flag of known.flags ?? []) assert.ok(flags.includes(flag), `${known.name} ${flag}`);
    }
  });

  it("stands in docs/options.md with its state, as the option table has it", async () => {
    const page = await readFile(new URL("../../docs/options.md", import.meta.url), "utf8");
    assert.ok(page === optionsPage(commands), "docs/options.md is out of date: node scripts/document-options.ts");
    for (const { flag } of knownFlags) assert.ok(page.includes(`\`--${flag}\``), flag);
    for (const key of Object.values(knownKeys).flat()) assert.ok(page.includes(`\`${key}\``), key);
    for (const { name } of knownCommands) assert.ok(page.includes(`\`crio ${name}\``), name);
  });
});

function commandAt(name: string): Command | undefined {
  let [found, among]: [Command | undefined, readonly Command[]] = [undefined, commands];
  for (const word of name.split(" ")) {
    found = among.find((command) => command.name === word);
    among = found?.subcommands ?? [];
  }
  return found;
}
