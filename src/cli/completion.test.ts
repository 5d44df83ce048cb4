import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { flagRows } from "../config/index.ts";
import { crio } from "./testing.ts";

const visible = flagRows.filter(({ option }) => option.hidden !== true).map(({ flag }) => flag);

describe("crio complete", () => {
  it("is bash's without a word, under both names", async () => {
    const { out } = await crio(["complete"]);
    assert.equal((await crio(["completion", "bash"])).out, out);
    const words = /opts="([^"]*)"/.exec(out)?.[1]?.split("\n") ?? [];
    assert.deepEqual(words.slice(0, 5), ["check", "complete", "completion", "config", "help"]);
    for (const flag of visible) assert.ok(words.includes(`--${flag}`), flag);
    assert.ok(!words.includes("publish") && !words.includes("--address"));
    assert.match(out, /^complete -F _cli_bash_autocomplete crio$/m);
  });

  it("has every word for zsh and fish, quoted", async () => {
    const zsh = (await crio(["complete", "zsh"])).out;
    const fish = (await crio(["complete", "fish"])).out;
    for (const flag of visible) {
      assert.match(zsh, new RegExp(`^\t\t(?:'--${flag}:[^']*'|"--${flag}:(?:[^"\\\\]|\\\\.)*")$`, "m"));
      assert.match(fish, new RegExp(`^complete .* -l ${flag} .*-d '(?:[^'\\\\]|\\\\.)*'$`, "m"));
    }
    assert.match(zsh, /^compdef _cli_zsh_autocomplete crio$/m);
  });

  it("knows no other shell, and helps with too many words", async () => {
    const { status, err } = await crio(["complete", "tcsh"]);
    assert.equal(status, 1);
    assert.match(err, /only bash, fish or zsh are supported/);
    assert.match((await crio(["complete", "bash", "zsh"])).out, /^NAME:\n {3}crio complete/);
  });
});

describe("crio markdown and man", () => {
  it("have every flag and command, in the order of a manual page", async () => {
    const { out } = await crio(["md"]);
    assert.match(out, /^<!---.*--->\n% crio 8\n/);
    assert.deepEqual(out.match(/^# .*/gm), [
      "# NAME",
      "# SYNOPSIS",
      "# DESCRIPTION",
      "# GLOBAL OPTIONS",
      "# COMMANDS",
      "# FILES",
      "# ENVIRONMENT",
      "# SEE ALSO",
    ]);
    for (const flag of visible) assert.ok(out.includes(`**--${flag}`), flag);
    assert.match(out, /^## version$/m);
    assert.match(out, /^### heap, hp$/m);
    assert.match(out, /[^\n]\n$/);
  });

  it("write roff whose text never starts a macro of its own", async () => {
    const { out } = await crio(["man"]);
    const macros = new Set(out.match(/^\.[A-Z]+/gm));
    assert.deepEqual([...macros].sort(), [".EE", ".EX", ".PP", ".SH", ".SS", ".TH", ".TP"]);
    assert.doesNotMatch(out, /^'/m);
  });
});
