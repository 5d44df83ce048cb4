import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { parseSignatureBlob, signatureBlob } from "./image-signature.ts";
import { parseStrictJsonObject } from "./strict-json.ts";

const parse = (text: string) => parseStrictJsonObject(Buffer.from(text), "it", 1 << 20);

describe("strict JSON", () => {
  it("takes the same key in different objects, and in strings", () => {
    for (const text of [
      `{"a":{"a":1},"b":{"a":[{"a":1},{"a":2}]}}`,
      `{"a":"{\\"a\\":1,\\"a\\":2}"}`,
      `{"a":"\\\\","b":["a","a"]}`,
      `{"a" : 1 , "b" :2}`,
    ]) {
      assert.deepEqual(parse(text), JSON.parse(text));
    }
  });

  it("refuses a key that comes twice, however it is written and wherever", () => {
    for (const text of [
      `{"a":1,"a":1}`,
      `{"a":1,"\\u0061":2}`,
      `{"x":[{"y":{"a":1, "b":[], "a" :2}}]}`,
      `{"__proto__":1,"__proto__":2}`,
      `{"a":"}","b":1,"a":2}`,
    ]) {
      assert.throws(
        () => parse(text),
        (error) => isFault(error, "invalid") && /twice/.test(error.message),
        text,
      );
    }
  });

  it("reads a large document in a time that grows with it alone", () => {
    const text = `{"a":[${Array.from({ length: 50_000 }, (_, at) => `{"k${at}":"\\\\"}`).join(",")}]}`;
    assert.equal((parse(text).a as readonly unknown[]).length, 50_000); // made so above
  });
});

describe("a stored signature", () => {
  it("is read as it was written", () => {
    const simple = { is: "simple", bytes: Buffer.of(0x90, 1, 2) } as const;
    const sigstore = { is: "sigstore", mediaType: "m", payload: Buffer.from("p"), annotations: { a: "b" } } as const;
    assert.deepEqual(parseSignatureBlob(signatureBlob(simple)), simple);
    assert.deepEqual(JSON.stringify(parseSignatureBlob(signatureBlob(sigstore))), JSON.stringify(sigstore));
  });

  it("of an unknown format is refused", () => {
    for (const bytes of [Buffer.alloc(0), Buffer.from("\0other\n{}"), Buffer.from("\0sigstore-json\n[]")]) {
      assert.throws(
        () => parseSignatureBlob(bytes),
        (error) => isFault(error, "invalid"),
      );
    }
  });
});
