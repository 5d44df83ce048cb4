import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { silentLogger } from "../base/index.ts";
import { aContainer } from "./test-containers.ts";
import { WritableLayers } from "./writable-layers.ts";

const patient = 60_000;

/** Layers whose measurements the test ends, on a clock that it sets. */
function fixture() {
  let nowMs = 0;
  const ended = new Set<string>();
  const walks: { readonly id: string; readonly answer: PromiseWithResolvers<{ bytes: bigint; inodes: bigint }> }[] = [];
  const warnings: string[] = [];
  const layers = new WritableLayers({
    measure: (id) => {
      const answer = Promise.withResolvers<{ bytes: bigint; inodes: bigint }>();
      walks.push({ id, answer });
      return answer.promise;
    },
    isLive: (id) => !ended.has(id),
    clock: { nowNs: () => BigInt(nowMs) * 1_000_000n },
    log: { ...silentLogger, warn: (message) => warnings.push(message) },
    nowMs: () => nowMs,
  });
  return {
    layers,
    ended,
    walks,
    warnings,
    pass: (ms: number) => {
      nowMs += ms;
    },
    /** Ends the walk `index`, and lets what waits for it go on. */
    async end(index: number, bytes: bigint | Error) {
      const answer = walks[index]?.answer;
      if (typeof bytes === "bigint") answer?.resolve({ bytes, inodes: 2n });
      else answer?.reject(bytes);
      await new Promise(setImmediate);
    },
  };
}

describe("what is known of writable layers", () => {
  it("is waited for the first time, and then answered at once while the next walk goes on", async () => {
    const { layers, walks, pass, end } = fixture();
    const { record } = aContainer();
    const first = layers.usage(record, patient);
    await new Promise(setImmediate);
    await end(0, 100n);
    assert.deepEqual(await first, { atNs: 0n, bytes: 100n, inodes: 2n });
    pass(9_999);
    await layers.usage(record, patient);
    assert.equal(walks.length, 1, "fresh");
    pass(1);
    assert.equal((await layers.usage(record, patient))?.bytes, 100n);
    assert.equal(walks.length, 2, "one in the background");
    await end(1, 200n);
    assert.deepEqual(await layers.usage(record, patient), { atNs: 10_000_000_000n, bytes: 200n, inodes: 2n });
  });

  it("is absent when patience ends first, and there the next time", async () => {
    const { layers, end } = fixture();
    const { record } = aContainer();
    assert.equal(await layers.usage(record, 1), undefined);
    assert.equal(await layers.usage(record, 0), undefined);
    await end(0, 5n);
    assert.equal((await layers.usage(record, 0))?.bytes, 5n);
  });

  it("is waited for again after a minute, and the old figure is better than none", async () => {
    const { layers, walks, pass, end } = fixture();
    const { record } = aContainer();
    void layers.usage(record, 0);
    await end(0, 1n);
    pass(60_000);
    assert.equal((await layers.usage(record, 1))?.bytes, 1n);
    const waiting = layers.usage(record, patient);
    await end(1, 2n);
    assert.equal((await waiting)?.bytes, 2n);
    assert.equal(walks.length, 2);
  });

  it("is measured two at a time, in the order in which they were asked for", async () => {
    const { layers, walks, end } = fixture();
    for (const id of ["1", "2", "3", "4"]) void layers.usage(aContainer({ id }).record, 0);
    await new Promise(setImmediate);
    assert.deepEqual(
      walks.map(({ id }) => id),
      ["1", "2"],
    );
    await end(0, 1n);
    assert.deepEqual(
      walks.map(({ id }) => id),
      ["1", "2", "3"],
    );
    await end(1, 1n);
    await end(2, 1n);
    await end(3, 1n);
    void layers.usage(aContainer({ id: "5" }).record, 0);
    await new Promise(setImmediate);
    assert.equal(walks.at(-1)?.id, "5", "turns are given back");
  });

  it("is measured less often the longer a walk takes", async () => {
    const { layers, walks, pass, end } = fixture();
    const { record } = aContainer();
    void layers.usage(record, 0);
    await new Promise(setImmediate);
    pass(5_000);
    await end(0, 1n);
    pass(49_999);
    void layers.usage(record, 0);
    assert.equal(walks.length, 1);
    pass(1);
    void layers.usage(record, 0);
    await new Promise(setImmediate);
    assert.equal(walks.length, 2);
  });

  it("is not measured of a container that has ended meanwhile, nor after stop", async () => {
    const { layers, walks, ended, end } = fixture();
    for (const id of ["1", "2", "3"]) void layers.usage(aContainer({ id }).record, 0);
    await new Promise(setImmediate);
    ended.add("3");
    await end(0, 1n);
    assert.equal(walks.length, 2);
    layers.stop();
    assert.equal(await layers.usage(aContainer({ id: "4" }).record, patient), undefined);
    assert.equal(walks.length, 2);
  });

  it("stays when a measurement fails, which is said once", async () => {
    const { layers, warnings, pass, end } = fixture();
    const { record } = aContainer();
    void layers.usage(record, 0);
    await end(0, 7n);
    for (const walk of [1, 2]) {
      pass(10_000);
      assert.equal((await layers.usage(record, 0))?.bytes, 7n);
      await end(walk, new Error("EIO"));
    }
    assert.equal((await layers.usage(record, 0))?.bytes, 7n);
    assert.equal(warnings.length, 1);
  });
});
