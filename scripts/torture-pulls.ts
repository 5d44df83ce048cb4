/**
 * npm run torture:pulls     the daemon is killed at 200 random instants of pulls and removals; see tests/host/pull-kills.test.ts
 *   CRIO_TS_PULL_KILLS=N    another number of kills
 *   CRIO_TS_SEED=N          other instants
 */
import { runInNode } from "../tests/support/node/index.ts";
import { nodeBinary } from "../tests/support/paths.ts";

const { CRIO_TS_PULL_KILLS = "200", CRIO_TS_SEED = String(Date.now() % 1_000_000) } = process.env;
const { code } = await runInNode({
  name: "torture-pulls",
  command: [nodeBinary, "--disable-warning=ExperimentalWarning", "--test", "tests/host/pull-kills.test.ts"],
  env: { CRIO_TS_PULL_KILLS, CRIO_TS_SEED },
  timeoutMs: 3_600_000,
  onOutput: (text) => process.stdout.write(text),
});
process.exitCode = code;
