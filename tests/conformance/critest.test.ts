/** critest of cri-tools against the built daemon, with crun and with runc. Runs in a throw-away node. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type RuntimeName, startDaemon } from "../support/daemon/index.ts";
import { differencesAfterSettling, takeInventory } from "../support/node/index.ts";
import { expected } from "./expected.ts";
import { judge } from "./judge.ts";
import { prepareHostForCritest } from "./prepare-host.ts";
import { critestPath, runCritest } from "./run-critest.ts";

const critest = critestPath();
const skip = critest === undefined ? "no critest: CRIO_TS_CRITEST does not name one" : false;

for (const runtime of ["crun", "runc"] as const satisfies readonly RuntimeName[]) {
  describe(`critest with ${runtime}`, { skip }, () => {
    it("passes except for what is listed, and leaves nothing behind", async (t) => {
      assert.ok(critest !== undefined);
      const before = await takeInventory();
      const results = await runWithDaemon(critest, runtime);
      for (const verdict of judge(results, expectedWith(runtime))) {
        const name = verdict.is === "wrong" ? verdict.name : verdict.spec.name;
        await t.test(name, (spec) => {
          if (verdict.is === "wrong") assert.fail(verdict.why);
          if (verdict.expectation?.is === "skips") spec.skip(verdict.expectation.why);
          if (verdict.expectation?.is === "fails") spec.todo(verdict.expectation.why);
        });
      }
      t.diagnostic(counts(results));
      // images that specs pulled stay in the store: that is what a pull is for
      assert.deepEqual(await differencesAfterSettling(before, { ignore: ["images"] }), []);
    });
  });
}

async function runWithDaemon(program: string, runtime: RuntimeName) {
  await using _host = await prepareHostForCritest();
  await using daemon = await startDaemon({ runtime });
  return await runCritest(program, { socket: daemon.socket });
}

function expectedWith(runtime: RuntimeName) {
  return expected.filter((expectation) => expectation.runtime === undefined || expectation.runtime === runtime);
}

function counts(results: readonly { readonly outcome: string }[]): string {
  const count = (outcome: string) => results.filter((result) => result.outcome === outcome).length;
  return `critest: ${count("passed")} passed, ${count("failed")} failed, ${count("skipped")} skipped`;
}
