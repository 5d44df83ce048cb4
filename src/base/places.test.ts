import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as later } from "node:timers/promises";
import { Places } from "./places.ts";

describe("Places", () => {
  it("are taken by so many at once, in the order in which they came", async () => {
    const places = new Places(2);
    const order: number[] = [];
    const give = await Promise.all([0, 1].map(() => places.take()));
    const waiting = [2, 3, 4].map(async (number) => {
      const release = await places.take();
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
    const places = new Places(1);
    const release = await places.take();
    const controller = new AbortController();
    const leaving = places.take(controller.signal);
    const staying = places.take();
    controller.abort(new Error("gone"));
    await assert.rejects(leaving, /gone/);
    await assert.rejects(places.take(controller.signal), /gone/);
    release();
    (await staying)();
    (await places.take())();
  });
});
