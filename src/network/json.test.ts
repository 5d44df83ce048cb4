import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { jsonInteger, parseJson } from "./json.ts";

const parse = (text: string) => parseJson(Buffer.from(text), "x.conf", 1000);

describe("parseJson", () => {
  it("writes back every number as it stood", () => {
    const text = '{"a":9007199254740993,"b":0.10,"c":1e400,"d":-5,"e":[18446744073709551615]}';
    assert.equal(JSON.stringify(parse(text)), text);
  });

  it("keeps __proto__ and constructor as plain keys", () => {
    const text = '{"__proto__":{"type":"x"},"constructor":1}';
    const parsed = parse(text);
    assert.equal(JSON.stringify({ ...parsed, name: "n" }), '{"__proto__":{"type":"x"},"constructor":1,"name":"n"}');
    assert.equal(parsed.type, undefined);
  });

  it("refuses what is too deep, too long, no object, or no JSON", () => {
    const deep = `{"a":${"[".repeat(200)}${"]".repeat(200)}}`;
    assert.throws(
      () => parse(deep),
      (e) => isFault(e, "invalid") && /nested deeper/.test(e.message),
    );
    assert.throws(
      () => parse(`{"a":"${"x".repeat(1000)}"}`),
      (e) => isFault(e, "exhausted"),
    );
    for (const text of ["[]", "null", "1", "", "{", '{"a":1}x', "\xff"]) {
      assert.throws(
        () => parse(text),
        (e) => isFault(e, "invalid"),
        text,
      );
    }
    assert.throws(
      () => parseJson(Uint8Array.of(0x22, 0xff, 0x22), "x", 10),
      (e) => isFault(e, "invalid"),
    );
  });

  it("does not count brackets inside strings", () => {
    const text = `{"a":"${"[".repeat(150)}\\"${"{".repeat(150)}"}`;
    assert.equal(JSON.stringify(parse(text)), text);
  });
});

describe("jsonInteger", () => {
  it("writes integers beyond 2^53 exactly", () => {
    assert.equal(JSON.stringify([jsonInteger(5n), jsonInteger(9223372036854775807n)]), "[5,9223372036854775807]");
  });
});
