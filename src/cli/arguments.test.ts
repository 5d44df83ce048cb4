import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type FlagSpec, parseArguments } from "./arguments.ts";

const specs: readonly FlagSpec[] = [
  { flag: "root", alias: "r", isSwitch: false },
  { flag: "read-only", isSwitch: true },
  { flag: "timezone", alias: "tz", isSwitch: false },
];

describe("parseArguments", () => {
  const cases: readonly (readonly [string, Readonly<Record<string, readonly string[]>>, readonly string[]])[] = [
    ["", {}, []],
    ["--root /a", { root: ["/a"] }, []],
    ["-root /a", { root: ["/a"] }, []],
    ["--root=/a", { root: ["/a"] }, []],
    ["-r=/a -r /b", { root: ["/a", "/b"] }, []],
    ["--root= x", { root: [""] }, ["x"]],
    ["--root --read-only", { root: ["--read-only"] }, []],
    ["--root=a=b", { root: ["a=b"] }, []],
    ["--read-only false", { "read-only": ["true"] }, ["false"]],
    ["--read-only=false", { "read-only": ["false"] }, []],
    ["--tz UTC", { timezone: ["UTC"] }, []],
    ["version --root /a", {}, ["version", "--root", "/a"]],
    ["--read-only -- --root", { "read-only": ["true"] }, ["--root"]],
    ["- --root", {}, ["-", "--root"]],
  ];
  for (const [line, flags, rest] of cases) {
    it(`takes apart ${JSON.stringify(line)}`, () => {
      const parsed = parseArguments(line === "" ? [] : line.split(" "), specs);
      assert.deepEqual(Object.fromEntries(parsed.flags), flags);
      assert.deepEqual(parsed.rest, rest);
    });
  }

  it("knows help under its names, unless a flag has them", () => {
    for (const word of ["-h", "--h", "-help", "--help"]) assert.equal(parseArguments([word], specs).asksForHelp, true);
    assert.equal(parseArguments(["-h"], [{ flag: "h", isSwitch: true }]).asksForHelp, false);
  });

  const refused: readonly (readonly [string, string])[] = [
    ["--nope", "flag provided but not defined: -nope"],
    ["--rot x", "flag provided but not defined: -rot (did you mean --root?)"],
    ["--root", "flag needs an argument: -root"],
    ["---root", "bad flag syntax: ---root"],
    ["--=x", "bad flag syntax: --=x"],
    ["--__proto__ x", "flag provided but not defined: -__proto__"],
  ];
  for (const [line, message] of refused) {
    it(`refuses ${line}`, () =>
      assert.throws(() => parseArguments(line.split(" "), specs), { code: "invalid", message }));
  }
});
