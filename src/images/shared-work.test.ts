import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { SharedWork } from "./shared-work.ts";

describe("shared work", () => {
  it("is done once for callers who come while it is under way, and anew afterwards", async () => {
    const work = new SharedWork<number>("pull");
    let started = 0;
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const one = work.join("a", async () => {
      started += 1;
      await gate;
      return 1;
    });
    const two = work.join("a", async () => assert.fail("the second caller joins"));
    open();
    assert.deepEqual(await Promise.all([one, two]), [1, 1]);
    assert.equal(await work.join("a", async () => started + 1), 2);
  });

  it("goes on while one caller is left, and is stopped with the last", async () => {
    const work = new SharedWork<string>("pull");
    const signals: AbortSignal[] = [];
    const run = (signal: AbortSignal) => {
      signals.push(signal);
      return new Promise<string>((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    };
    const [first, second] = [new AbortController(), new AbortController()];
    const one = work.join("a", run, first.signal);
    const two = work.join("a", run, second.signal);
    first.abort(new Error("first leaves"));
    await assert.rejects(one, /first leaves/);
    assert.equal(signals[0]?.aborted, false);
    second.abort(new Error("second leaves"));
    await assert.rejects(two, /second leaves/);
    assert.ok(isFault(signals[0]?.reason, "cancelled"));
    assert.equal(await work.join("a", async () => "anew"), "anew");
  });
});
