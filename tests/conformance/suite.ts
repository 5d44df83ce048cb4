import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it, type TestContext } from "node:test";
import { type RuntimeName, startDaemon } from "../support/daemon/index.ts";
import { differencesAfterSettling, takeInventory } from "../support/node/index.ts";
import { type Expectation, expected } from "./expected.ts";
import { judge } from "./judge.ts";
import { prepareHostForCritest } from "./prepare-host.ts";
import { type CritestOptions, critestPath, runCritest } from "./run-critest.ts";
import type { SpecResult } from "./specs.ts";

const streaming = /\[k8s\.io\] Streaming /; // ginkgo matches it against the name with that of the suite before it

export interface CritestRun {
  readonly runtime: RuntimeName;
  /** Where it runs: in a throw-away node, or in the virtual machine, with systemd's cgroups. */
  readonly place: "node" | "vm";
}

/**
 * Runs critest against the built daemon, and makes a test of each spec: it passes, or is on the list of `expected.ts` for this
 * run. The specs that stream run a second time, over WebSocket. Skipped by name in the wrong place, and without critest.
 */
export function describeCritest(run: CritestRun): void {
  describe(`critest with ${run.runtime}`, { skip: reasonNotToRun(run.place) }, () => {
    it("passes except for what is listed, and leaves nothing behind", async (t) => {
      const { results, leaks } = await runWithDaemon(run);
      t.diagnostic(counts(results));
      await testEach(t, results, expectedOf(run));
      assert.deepEqual(leaks, []);
    });

    it("streams over WebSocket too, and leaves nothing behind", async (t) => {
      const { results, leaks } = await runWithDaemon(run, { focus: streaming.source, webSocket: true });
      const isStreaming = (name: string) => streaming.test(name);
      const specs = results.filter(({ name }) => isStreaming(name));
      await testEach(
        t,
        specs,
        expectedOf(run).filter(({ spec }) => isStreaming(spec)),
      );
      assert.deepEqual(leaks, []);
    });
  });
}

function reasonNotToRun(place: CritestRun["place"]): string | false {
  const isGuest = readFileSync("/proc/cmdline", "utf8").includes("vmrun=");
  if (isGuest !== (place === "vm")) return isGuest ? "for a throw-away node" : "for the virtual machine";
  return critestPath() === undefined ? "no critest: CRIO_TS_CRITEST does not name one" : false;
}

async function runWithDaemon(
  run: CritestRun,
  options: Pick<CritestOptions, "focus" | "webSocket"> = {},
): Promise<{ readonly results: readonly SpecResult[]; readonly leaks: readonly string[] }> {
  const before = await takeInventory();
  const results = await resultsOf(run, options);
  // images that specs pulled stay in the store: that is what a pull is for
  return { results, leaks: await differencesAfterSettling(before, { ignore: ["images"] }) };
}

async function resultsOf(
  { runtime, place }: CritestRun,
  options: Pick<CritestOptions, "focus" | "webSocket">,
): Promise<readonly SpecResult[]> {
  const program = critestPath();
  assert.ok(program !== undefined);
  await using _host = await prepareHostForCritest();
  await using daemon = await startDaemon({ runtime, cgroupManager: place === "vm" ? "systemd" : "cgroupfs" });
  // A node shows the AppArmor of the kernel below, where there is one, but must not load profiles into it.
  const skip = place === "node" ? { skip: "AppArmor" } : {};
  return await runCritest(program, { socket: daemon.socket, ...skip, ...options });
}

function expectedOf(run: CritestRun): readonly Expectation[] {
  return expected.filter(
    ({ runtime = run.runtime, place = run.place }) => runtime === run.runtime && place === run.place,
  );
}

async function testEach(t: TestContext, results: readonly SpecResult[], list: readonly Expectation[]): Promise<void> {
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
