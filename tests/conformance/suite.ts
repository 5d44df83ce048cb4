import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type RuntimeName, startDaemon } from "../support/daemon/index.ts";
import { expectNoLeaks, takeInventory } from "../support/node/index.ts";
import { type Expectation, expected } from "./expected.ts";
import { judge } from "./judge.ts";
import { prepareHostForCritest } from "./prepare-host.ts";
import { critestPath, runCritest } from "./run-critest.ts";
import type { SpecResult } from "./specs.ts";

/**
 * Runs critest once against the built daemon, and makes a test of each spec: it passes, or is on the list of `expected.ts` for
 * this runtime. To be called in a throw-away node; skipped by name where there is no critest.
 */
export function describeCritest(runtime: RuntimeName): void {
  const critest = critestPath();
  const skip = critest === undefined ? "no critest: CRIO_TS_CRITEST does not name one" : false;
  describe(`critest with ${runtime}`, { skip }, () => {
    it("passes except for what is listed, and leaves nothing behind", async (t) => {
      assert.ok(critest !== undefined);
      const before = await takeInventory();
      const results = await resultsWith(critest, runtime);
      const list = expected.filter(
        (expectation) => expectation.runtime === undefined || expectation.runtime === runtime,
      );
      t.diagnostic(counts(results));
      await testEach(t, results, list);
      // images that specs pulled stay in the store: that is what a pull is for
      await expectNoLeaks(before, { ignore: ["images"] });
    });
  });
}

async function resultsWith(program: string, runtime: RuntimeName): Promise<readonly SpecResult[]> {
  await using _host = await prepareHostForCritest();
  await using daemon = await startDaemon({ runtime });
  // A node shows the AppArmor of the kernel below, where there is one, but must not load profiles into it.
  return await runCritest(program, { socket: daemon.socket, skip: "AppArmor" });
}

async function testEach(
  t: import("node:test").TestContext,
  results: readonly SpecResult[],
  list: readonly Expectation[],
): Promise<void> {
  for (const verdict of judge(results, list)) {
    const name = verdict.is === "wrong" ? verdict.name : verdict.spec.name;
    await t.test(name, (spec) => {
      if (verdict.is === "wrong") assert.fail(verdict.why);
      if (verdict.expectation?.is === "skips") spec.skip(verdict.expectation.why);
      if (verdict.expectation?.is === "fails") spec.todo(verdict.expectation.why);
    });
  }
}

function counts(results: readonly SpecResult[]): string {
  const count = (outcome: SpecResult["outcome"]) => results.filter((result) => result.outcome === outcome).length;
  return `critest: ${count("passed")} passed, ${count("failed")} failed, ${count("skipped")} skipped`;
}
