/**
 * npm run fuzz:cri [-- COUNT]    sends 100,000 spoilt CRI requests, or COUNT, to the built daemon in a throw-away node; needs root
 *   CRIO_TS_SEED=N           the same requests again; the seed is printed
 *   CRIO_TS_FUZZ_ONLY=3,17   of those, only the ones of these numbers (complaints begin with one)
 *   CRIO_TS_FUZZ_TRACE=1     a line for every answer
 */
import { randomInt } from "node:crypto";
import { runInNode } from "../tests/support/node/index.ts";
import { nodeBinary } from "../tests/support/paths.ts";

const handedOn = ["CRIO_TS_FUZZ_ONLY", "CRIO_TS_FUZZ_TRACE"] as const;

const variables: Record<string, string> = {
  CRIO_TS_FUZZ_REQUESTS: process.argv[2] ?? "100000",
  CRIO_TS_SEED: process.env.CRIO_TS_SEED ?? String(randomInt(2 ** 31)),
};
for (const name of handedOn) {
  const value = process.env[name];
  if (value !== undefined) variables[name] = value;
}
const result = await runInNode({
  name: "fuzz-cri",
  command: [nodeBinary, "--disable-warning=ExperimentalWarning", "tests/host/fuzz-cri.test.ts"],
  env: variables,
  timeoutMs: 6 * 60 * 60_000,
  attached: true,
});
process.exitCode = result.code;
