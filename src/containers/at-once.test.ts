import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { mapAtOnce } from "./at-once.ts";

describe("work on many, a few at once", () => {
  it("keeps the order and the limit", async () => {
    let going = 0;
    let most = 0;
    const doubled = await mapAtOnce([5, 1, 4, 2, 3], { limit: 2 }, async (n) => {
      going += 1;
      most = Math.max(most, going);
      for (let turn = 0; turn < n; turn++) await Promise.resolve();
      going -= 1;
      return n * 2;
    });
    assert.deepEqual(doubled, [10, 2, 8, 4, 6]);
    assert.equal(most, 2);
  });

  it("begins nothing after a failure, nor once its caller has left", async () => {
    const begun: number[] = [];
    const failing = mapAtOnce([1, 2, 3], { limit: 1 }, async (n) => {
      begun.push(n);
      throw new Error(`no ${n}`);
    });
    await assert.rejects(failing, /no 1/);
    const leaving = new AbortController();
    const left = mapAtOnce([4, 5, 6], { limit: 1, signal: leaving.signal }, async (n) => {
      begun.push(n);
      leaving.abort(new Error("left"));
    });
    await assert.rejects(left, /left/);
    assert.deepEqual(begun, [1, 4]);
  });

  it("has nothing to do for nothing", async () => {
    assert.deepEqual(await mapAtOnce([], { limit: 4 }, async () => 1), []);
  });
});
