import { basename } from "node:path";
import { fixtureImages } from "../../tests/support/fixtures/index.ts";
import { runInNode } from "../../tests/support/node/index.ts";
import { nodeBinary } from "../../tests/support/paths.ts";
import { userland } from "../../tests/support/userland/index.ts";
import type { Clients } from "./clients.ts";
import { type Counts, countsOf, leftOver, sum } from "./counts.ts";
import { fileTimeoutMs, testFlags } from "./test-runner.ts";

const nodesAtOnce = 2;

/** Runs each file of tests in a throw-away node of its own, two at a time. */
export async function inNodes(files: readonly string[], { env, counts }: Clients): Promise<Counts> {
  // What all nodes share is made before the first, not by several at once.
  await userland();
  await fixtureImages();
  const results: Counts[] = [];
  const waiting = [...files];
  const next = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const name = basename(file, ".test.ts");
      const startMs = Date.now();
      const done = await runInNode({ name, command: [nodeBinary, ...testFlags, file], env, timeoutMs: fileTimeoutMs });
      const result = leftOver(countsOf({ code: done.code, stdout: done.output, stderr: "" }), done.leaks);
      results.push(result);
      const seconds = ((Date.now() - startMs) / 1000).toFixed(0);
      process.stdout.write(`   ${name}: ${result.passed} passed, ${result.failed} failed, ${seconds} s\n`);
    }
  };
  await Promise.all(Array.from({ length: nodesAtOnce }, next));
  return results.reduce(sum, counts);
}
