/**
 * npm run soak:streams     the streaming tests in a throw-away node with the numbers of the goals: 10,000 sessions, 1 GB, 100,000 URLs
 *   host/NAME.test.ts …    only these files
 */
import { crictl } from "../support/clients.ts";
import { runInNode } from "../support/node/index.ts";
import { nodeBinary } from "../support/paths.ts";

const timeoutMs = 3 * 3_600_000;

const client = await crictl();
if (client.is === "missing") throw new Error(`crictl cannot be built: ${client.why}`);
const named = process.argv.slice(2).map((file) => `tests/${file}`);
const files = named.length > 0 ? named : ["tests/host/streaming-load.test.ts", "tests/host/streaming.test.ts"];
const began = performance.now();
const { code } = await runInNode({
  name: "soak-streams",
  command: [
    nodeBinary,
    "--test",
    "--test-reporter=spec",
    "--test-concurrency=1",
    "--disable-warning=ExperimentalWarning",
    ...files,
  ],
  env: { CRIO_TS_CRICTL: client.path, CRIO_TS_STREAMS: "full" },
  timeoutMs,
  onOutput: (text) => process.stdout.write(text),
});
process.stdout.write(
  `soak of streams: ${((performance.now() - began) / 60_000).toFixed(1)} minutes, exit code ${code}\n`,
);
process.exitCode = code;
