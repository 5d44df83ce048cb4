import assert from "node:assert/strict";
import { describe, it, mock } from "node:test";
import { setImmediate as later } from "node:timers/promises";
import { createLogger } from "../base/index.ts";
import { type Condition, startWatchdog } from "./watchdog.ts";

const env = { WATCHDOG_USEC: "20000000", WATCHDOG_PID: String(process.pid) };
const condition = (type: string, status: boolean): Condition => ({ type, status, message: status ? "" : "no" });

/** The checks that a watchdog makes over two of its periods, and what it says. */
async function twoPeriods(...answers: readonly (readonly Condition[])[]): Promise<{ checks: number; log: string }> {
  mock.timers.enable({ apis: ["setInterval"] });
  let checks = 0;
  const said: string[] = [];
  const logger = createLogger({ level: () => "info", format: "text", write: (line) => said.push(line) });
  try {
    using _watchdog = startWatchdog({ env, check: async () => answers[checks++] ?? [], log: logger });
    for (let period = 0; period < 2; period++) {
      mock.timers.tick(10_000);
      for (let turn = 0; turn < 10; turn++) await later();
    }
    return { checks, log: said.join("") };
  } finally {
    mock.timers.reset();
  }
}

describe("the watchdog", () => {
  it("is fed when the daemon answers that all is well, twice in its interval", async () => {
    const { checks, log } = await twoPeriods([condition("RuntimeReady", true)], [condition("RuntimeReady", true)]);
    assert.equal(checks, 2);
    assert.doesNotMatch(log, /not well/);
  });

  it("does not mind a network that was never ready, and does when it was", async () => {
    const never = await twoPeriods([condition("NetworkReady", false)], [condition("NetworkReady", false)]);
    assert.doesNotMatch(never.log, /not well/);
    const lost = await twoPeriods(
      [condition("NetworkReady", true)],
      [condition("NetworkReady", false)],
      [condition("NetworkReady", false)],
    );
    assert.equal(lost.checks, 3, "it tries twice");
    assert.match(lost.log, /the watchdog is not fed.*NetworkReady does not hold/);
  });

  it("is left alone where none is asked for, or one of another process", () => {
    const check = async () => [];
    const log = createLogger({ level: () => "info", format: "text", write: () => {} });
    for (const other of [{}, { WATCHDOG_USEC: "x" }, { WATCHDOG_USEC: "900000" }, { ...env, WATCHDOG_PID: "1" }]) {
      assert.equal(startWatchdog({ env: other, check, log }), undefined);
    }
  });
});
