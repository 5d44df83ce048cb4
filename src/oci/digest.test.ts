import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { digestAlgorithm, digestFromHex, digestHex, digestOf, isDigest, parseDigest } from "./digest.ts";

const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

describe("digest", () => {
  it("is computed, taken apart and put together", () => {
    const digest = digestOf(new Uint8Array());
    assert.equal(digest, `sha256:${empty}`);
    assert.equal(digestHex(digest), empty);
    assert.equal(digestFromHex(empty), digest);
    assert.equal(digestAlgorithm(digestOf(new Uint8Array(), "sha512")), "sha512");
    assert.equal(digestHex(digestOf(new Uint8Array(), "sha384")).length, 96);
  });

  it("refuses everything but the strict form", () => {
    const refused = [
      "",
      empty,
      `sha256:${empty.slice(1)}`,
      `sha256:${empty}0`,
      `sha256:${empty.toUpperCase()}`,
      `SHA256:${empty}`,
      `sha256:${empty}\n`,
      ` sha256:${empty}`,
      `sha512:${empty}`,
      `md5:${empty.slice(0, 32)}`,
      `sha256:${"../".repeat(21)}a`,
      "__proto__",
    ];
    for (const text of refused) {
      assert.ok(!isDigest(text), text);
      assert.throws(
        () => parseDigest(text),
        (error) => isFault(error, "invalid"),
      );
    }
  });
});
