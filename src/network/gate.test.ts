import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { Gate } from "./gate.ts";

describe("Gate", () => {
  it("lets many in together, one alone, and late comers wait for the one", async () => {
    const gate = new Gate();
    const seen: string[] = [];
    const first = Promise.withResolvers<void>();
    const alone = Promise.withResolvers<void>();
    const all = [
      gate.shared(async () => {
        seen.push("a in");
        await first.promise;
        seen.push("a out");
      }),
      gate.shared(async () => void seen.push("b")),
      gate.exclusive(async () => {
        seen.push("alone in");
        await alone.promise;
        seen.push("alone out");
      }),
      gate.shared(async () => void seen.push("late")),
      gate.exclusive(async () => void seen.push("second")),
    ];
    await turn();
    assert.deepEqual(seen, ["a in", "b"]);
    first.resolve();
    await turn();
    assert.deepEqual(seen, ["a in", "b", "a out", "alone in"]);
    alone.resolve();
    await Promise.all(all);
    assert.deepEqual(seen.slice(0, 5), ["a in", "b", "a out", "alone in", "alone out"]);
    assert.deepEqual(seen.slice(5).sort(), ["late", "second"]);
  });

  it("opens again when the one gives up waiting, or fails", async () => {
    const gate = new Gate();
    const inside = Promise.withResolvers<void>();
    const busy = gate.shared(() => inside.promise);
    const stop = new AbortController();
    const waiting = gate.exclusive(async () => assert.fail("never alone"), stop.signal);
    const late = gate.shared(async () => "late");
    stop.abort(new Error("enough"));
    await assert.rejects(waiting, /enough/);
    assert.equal(await late, "late");
    inside.resolve();
    await busy;
    await assert.rejects(
      gate.exclusive(() => Promise.reject(new Error("failed"))),
      /failed/,
    );
    assert.equal(await gate.shared(async () => "again"), "again");
  });
});
