import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as later } from "node:timers/promises";
import { Turns } from "./turns.ts";

describe("Turns", () => {
  it("are taken by so many at once, in the order in which they came", async () => {
    const turns = new Turns(2);
    const order: number[] = [];
    const give = await Promise.all([0, 1].map(() => turns.take()));
    const waiting = [2, 3, 4].map(async (number) => {
      const release = await turns.take();
      order.push(number);
      return release;
    });
    await later();
    assert.deepEqual(order, []);
    give[0]?.();
    give[0]?.(); // no second turn
    await later();
    assert.deepEqual(order, [2]);
    give[1]?.();
    (await waiting[0])?.();
    await Promise.all(waiting);
    assert.deepEqual(order, [2, 3, 4]);
  });

  it("are not kept for somebody who has left", async () => {
    const turns = new Turns(1);
    const release = await turns.take();
    const controller = new AbortController();
    const leaving = turns.take(controller.signal);
    const staying = turns.take();
    controller.abort(new Error("gone"));
    await assert.rejects(leaving, /gone/);
    await assert.rejects(turns.take(controller.signal), /gone/);
    release();
    (await staying)();
    (await turns.take())();
  });
});
