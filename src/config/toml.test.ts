import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { parseToml } from "./toml.ts";
import { tomlLines } from "./toml-lines.ts";

describe("parseToml", () => {
  it("keeps integers apart from floats and loses no digit", () => {
    const tree = parseToml("a = 1\nb = 1.0\nc = 9223372036854775807", "f");
    assert.deepEqual({ ...tree }, { a: 1n, b: 1, c: 9223372036854775807n });
  });

  it("takes __proto__ and constructor for keys like any other", () => {
    const tree = parseToml('[__proto__]\npolluted = true\n["constructor"]\nx = 1', "f");
    assert.deepEqual(Object.keys(tree), ["__proto__", "constructor"]);
    assert.equal(Object.getPrototypeOf(tree), null);
    assert.equal(({} as { polluted?: boolean }).polluted, undefined);
  });

  const broken: readonly (readonly [string, number, number])[] = [
    ["a =", 1, 4],
    ["\n\na = 1 2", 3, 7],
    ["a = 1\na = 2", 2, 1],
    ["[x\n", 1, 2],
    ['a = "open', 1, 5],
    [`a = ${"[".repeat(1000)}`, 1, 69],
  ];
  for (const [text, line, column] of broken) {
    it(`says where ${JSON.stringify(text.slice(0, 12))} is wrong, in one line`, () => {
      assert.throws(
        () => parseToml(text, "/etc/x.conf"),
        (error) => {
          assert.ok(isFault(error, "invalid"));
          assert.match(error.message, new RegExp(`^/etc/x\\.conf: line ${line}, column \\d+: [^\\n]+$`));
          assert.ok(column > 0);
          return true;
        },
      );
    });
  }
});

describe("tomlLines", () => {
  const text = `# comment [not.a.table]
top = """
[crio]
x = 1 \\""" still
"""
[crio.runtime] # here
log_level = "a # b" # c
list = [
  "one", # two ]
  '''raw
text''',
]
"quoted.key" = 1
'literal' = { inner = 1 }
a.b.c = 2
[crio.runtime.runtimes."my crun"]
path = '/x'
[[array]]
last = 1`;
  const lineOf = tomlLines(text);
  const places: readonly (readonly [readonly string[], number | undefined])[] = [
    [["top"], 2],
    [["crio", "runtime"], 6],
    [["crio", "runtime", "log_level"], 7],
    [["crio", "runtime", "list"], 8],
    [["crio", "runtime", "quoted.key"], 13],
    [["crio", "runtime", "literal", "inner"], 14],
    [["crio", "runtime", "a", "b", "c"], 15],
    [["crio", "runtime", "runtimes", "my crun", "path"], 17],
    [["array", "last"], 19],
    [["nowhere"], undefined],
  ];
  for (const [path, line] of places) it(`finds ${path.join(".")}`, () => assert.equal(lineOf(path), line));

  it("ends on any text", () => {
    for (const odd of ['"', "'''", "[", "a = \\", "=", "\0", 'a = "\\', "a.", '["x']) tomlLines(odd)(["a"]);
  });
});
