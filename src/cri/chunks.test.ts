import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { chunksOf } from "./chunks.ts";

describe("messages of a stream", () => {
  it("carry three thousand each, and there is none for nothing", () => {
    const items = Array.from({ length: 6_001 }, (_, index) => index);
    const chunks = [...chunksOf(items)];
    assert.deepEqual(
      chunks.map(({ length }) => length),
      [3_000, 3_000, 1],
    );
    assert.deepEqual(chunks.flat(), items);
    assert.deepEqual([...chunksOf([])], []);
  });
});
