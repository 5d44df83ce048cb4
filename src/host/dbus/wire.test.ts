import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../../base/index.ts";
import { decodeValues } from "./decode.ts";
import { encodeValues } from "./encode.ts";
import { parseSignature } from "./signature.ts";
import { type DbusValue, variant } from "./value.ts";

const corrupt = (error: unknown) => isFault(error, "corrupt");
const invalid = (error: unknown) => isFault(error, "invalid");

describe("D-Bus values on the wire", () => {
  const cases: readonly (readonly [string, readonly DbusValue[]])[] = [
    ["", []],
    ["ybnqiuxtd", [255, true, -32768, 65535, -2147483648, 4294967295, -(2n ** 63n), 2n ** 64n - 1n, 1.5]],
    ["sog", ["grüße", "/org/freedesktop/systemd1", "a(sv)"]],
    ["ay", [Uint8Array.of(1, 2, 255)]],
    ["as", [["crio.service", ""]]],
    ["a{sv}", [[["__proto__", variant("u", 7)]]]],
    ["ya(yx)", [1, [[2, 3n]]]],
    ["yax", [1, []]],
    ["ssa(sv)a(sa(sv))", ["x.scope", "replace", [["PIDs", variant("au", [42])]], []]],
    ["v", [variant("v", variant("(ss)", ["a", "b"]))]],
  ];
  for (const [signature, values] of cases) {
    it(`come back as they went: ${signature}`, () => {
      assert.deepEqual(decodeValues(signature, encodeValues(signature, values), "little"), values);
    });
  }

  it("are laid out as the specification says: alignment, lengths without the padding before the first element", () => {
    const bytes = encodeValues("yatq", [1, [2n], 3]);
    assert.equal(bytes.toString("hex"), "01000000" + "08000000" + "0200000000000000" + "0300");
    assert.equal(encodeValues("s", ["foo"]).toString("hex"), `03000000${Buffer.from("foo\0").toString("hex")}`);
    assert.equal(encodeValues("v", [variant("u", 7)]).toString("hex"), "01750000" + "07000000");
  });

  it("are read in the other byte order too", () => {
    const bytes = Buffer.from(`00000003${"666f6f00"}${"000000000000002a"}`, "hex");
    assert.deepEqual(decodeValues("st", bytes, "big"), ["foo", 42n]);
  });

  it("are refused when they do not fit their types", () => {
    const misfits: readonly (readonly [string, DbusValue])[] = [
      ["y", 256],
      ["u", -1],
      ["u", 1.5],
      ["u", 1n],
      ["u", "1"],
      ["d", "1"],
      ["d", true],
      ["t", 1],
      ["t", 2n ** 64n],
      ["b", 1],
      ["s", "a\0b"],
      ["s", "\ud800"],
      ["o", "no/slash"],
      ["o", "/a//b"],
      ["o", "/a/"],
      ["as", "text"],
      ["as", Uint8Array.of(1)],
      ["(ss)", ["one"]],
      ["v", "bare"],
    ];
    for (const [signature, value] of misfits) assert.throws(() => encodeValues(signature, [value]), invalid, signature);
    assert.throws(() => encodeValues("ss", ["one"]), invalid);
  });

  it("are refused when the bytes lie", () => {
    const lies: readonly (readonly [string, string])[] = [
      ["u", "010000"], // too short
      ["u", "0100000000"], // too long
      ["s", "ffffffff00"], // longer than the message
      ["s", "0100000061"], // no NUL
      ["s", "0300000061006200"], // a NUL inside
      ["s", "01000000ff00"], // not UTF-8
      ["b", "02000000"],
      ["ax", "0400000000000000"], // ends within an element
      ["as", "02000000010000006100"], // an element runs over the end of the array
      ["v", "0261610000000000"], // not one complete type
      ["v", "00"],
    ];
    for (const [signature, hex] of lies) {
      assert.throws(() => decodeValues(signature, Buffer.from(hex, "hex"), "little"), corrupt, `${signature} ${hex}`);
    }
  });

  it("do not nest without end", () => {
    const variants = Buffer.concat([Buffer.from("017600".repeat(100_000), "hex"), Buffer.from("01790007", "hex")]);
    assert.throws(() => decodeValues("v", variants, "little"), /nested deeper/);
  });
});

describe("D-Bus signatures", () => {
  it("are refused when malformed", () => {
    const deep = `${"(".repeat(33)}y${")".repeat(33)}`;
    for (const text of [
      "a",
      "(",
      "()",
      "(y",
      ")",
      "{sv}",
      "a{s}",
      "a{vs}",
      "a{svs}",
      "z",
      "é",
      `${"a".repeat(33)}y`,
      deep,
      "y".repeat(256),
    ]) {
      assert.throws(() => parseSignature(text), corrupt, text);
    }
  });

  it("may be as deep as the specification allows", () => {
    assert.equal(parseSignature(`${"a".repeat(32)}${"(".repeat(32)}y${")".repeat(32)}`).length, 1);
  });
});
