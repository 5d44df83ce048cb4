import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { parseYamlObject } from "./yaml.ts";

const parse = (text: string) => parseYamlObject(Buffer.from(text), "the file", 10_000);

describe("a YAML document", () => {
  it("is read as an object, and JSON with it", async () => {
    assert.deepEqual(await parse('a: [1, "b"]\nc: {d: true}\n'), { a: [1, "b"], c: { d: true } });
    assert.deepEqual(await parse('{"a": null}'), { a: null });
  });

  it("has names like any other in __proto__ and constructor", async () => {
    const object = await parse("__proto__: {polluted: 1}\nconstructor: 2\n");
    assert.deepEqual(Object.keys(object), ["__proto__", "constructor"]);
    assert.equal((object as { polluted?: number }).polluted, undefined);
  });

  it("is refused when it is no object, no YAML, too long, or grows without end", async () => {
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${"bcdefghi"
      .split("")
      .map((name, n) => `${name}: &${name} [${Array(9).fill(`*${"abcdefgh"[n]}`).join(",")}]`)
      .join("\n")}`;
    for (const text of ["- 1", "a: [", "\u00ff: \ta: b: c", bomb]) {
      await assert.rejects(parse(text), (error) => isFault(error, "invalid"), text.slice(0, 40));
    }
    await assert.rejects(parse(`a: ${"x".repeat(10_000)}`), (error) => isFault(error, "exhausted"));
  });
});
