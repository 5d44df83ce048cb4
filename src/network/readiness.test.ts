import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Fault, isFault, silentLogger } from "../base/index.ts";
import { Readiness } from "./readiness.ts";
import { nextLookMs, nextReadiness, type ReadinessState } from "./readiness-state.ts";

/** The states after looks given as `[time, reason?]`. */
function statesAfter(graceMs: number, looks: readonly (readonly [number, string?])[]): readonly ReadinessState["is"][] {
  let state: ReadinessState = { is: "waiting", why: "new" };
  return looks.map(([atMs, why]) => {
    state = nextReadiness(state, { atMs, why }, graceMs);
    return state.is;
  });
}

describe("nextReadiness", () => {
  it("waits until the first success and then stays ready without a grace period", () => {
    const looks = [[0, "no"], [500, "no"], [1000], [6000, "no"], [600_000, "no"]] as const;
    assert.deepEqual(statesAfter(0, looks), ["waiting", "waiting", "ready", "ready", "ready"]);
  });

  it("bears failures for the grace period, then is lost until the next success", () => {
    const looks = [
      [0],
      [5000, "no"],
      [10_000, "no"],
      [14_999, "no"],
      [15_000, "no"],
      [20_000, "no"],
      [25_000],
    ] as const;
    assert.deepEqual(statesAfter(10_000, looks), ["ready", "failing", "failing", "failing", "lost", "lost", "ready"]);
  });

  it("begins the period anew after each success", () => {
    const looks = [[0], [5000, "no"], [10_000], [15_000, "no"], [20_000, "no"]] as const;
    assert.deepEqual(statesAfter(10_000, looks), ["ready", "failing", "ready", "failing", "failing"]);
  });
});

describe("nextLookMs", () => {
  it("looks often before the first success, then only for a grace period", () => {
    assert.equal(nextLookMs({ is: "waiting", why: "" }, 0), 500);
    assert.equal(nextLookMs({ is: "ready" }, 0), undefined);
    assert.equal(nextLookMs({ is: "ready" }, 1), 5000);
    assert.equal(nextLookMs({ is: "lost", why: "" }, 1), 5000);
  });
});

describe("Readiness", () => {
  function readinessOf(look: () => void): Readiness {
    return new Readiness({ look: async () => look(), graceMs: 0, log: silentLogger });
  }

  it("tells the reason from memory and lets those who wait go on at the first success", async () => {
    let ready = false;
    const readiness = readinessOf(() => {
      if (!ready) throw new Fault("unavailable", "no agent");
    });
    await readiness.start();
    assert.deepEqual(readiness.status, { is: "not-ready", why: "no agent" });
    const waiting = Promise.all([readiness.whenReady(undefined), readiness.whenReady(AbortSignal.timeout(5000))]);
    ready = true;
    readiness.hurry();
    await waiting;
    assert.deepEqual(readiness.status, { is: "ready" });
    await readiness.stop();
    await readiness.whenReady(undefined);
  });

  it("lets a caller leave, and everybody at the end", async () => {
    const readiness = readinessOf(() => {
      throw new Fault("unavailable", "no agent");
    });
    await readiness.start();
    await assert.rejects(readiness.whenReady(AbortSignal.abort(new Error("gone"))), /gone/);
    const waiting = readiness.whenReady(undefined);
    await Promise.all([
      assert.rejects(
        waiting,
        (e) => isFault(e, "unavailable") && e.message === "server shutdown before CNI plugin was ready: no agent",
      ),
      readiness.stop(),
    ]);
    await assert.rejects(readiness.whenReady(undefined), /server shutdown/);
  });
});
