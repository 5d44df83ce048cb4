import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { Tickets } from "./tickets.ts";

function tickets(clock = { now: 0 }, maxWaiting = 3, maxBytes = 1000) {
  return new Tickets<string>({ maxWaiting, maxBytes, ttlMs: 60_000, now: () => clock.now });
}

const full = (error: unknown) => isFault(error, "exhausted") && /in-flight requests exceeded/.test(error.message);

describe("tickets", () => {
  it("are good once", () => {
    const waiting = tickets();
    const token = waiting.issue("a", 0);
    assert.match(token, /^[A-Za-z0-9_-]{8}$/);
    assert.equal(waiting.redeem(token), "a");
    assert.equal(waiting.redeem(token), undefined);
    assert.equal(waiting.redeem("AAAAAAAA"), undefined);
  });

  it("are good for their time and then make room", () => {
    const clock = { now: 0 };
    const waiting = tickets(clock);
    const token = waiting.issue("a", 0);
    clock.now = 59_999;
    waiting.issue("b", 0);
    waiting.issue("c", 0);
    assert.throws(() => waiting.issue("d", 0), full);
    clock.now = 60_000;
    assert.equal(waiting.redeem(token), undefined);
    assert.equal(waiting.size, 2);
    waiting.issue("d", 0);
  });

  it("hold no more bytes than they may", () => {
    const waiting = tickets();
    const token = waiting.issue("a", 900);
    assert.throws(() => waiting.issue("b", 200), full);
    waiting.redeem(token);
    waiting.issue("b", 200);
  });

  it("stay bounded under a hundred thousand that nobody comes for", () => {
    const clock = { now: 0 };
    const waiting = tickets(clock, 1000);
    let refused = 0;
    for (let index = 0; index < 100_000; index++) {
      clock.now += 10;
      try {
        waiting.issue("x", 0);
      } catch {
        refused++;
      }
      assert.ok(waiting.size <= 1000);
    }
    assert.ok(refused > 80_000);
    clock.now += 60_000;
    waiting.redeem("");
    assert.equal(waiting.size, 0);
  });
});
