/**
 * npm run bench:streams     streams of crio-ts and of containerd, in turn
 *   --rounds N              measurements of each kind (default 5); their median counts
 *   --mib N                 MiB of each transfer (default 512)
 *   --only WORDS            only the lines of the table that hold these words, such as "port-forward" or "crun"
 */
import { parseArgs } from "node:util";
import { runInNode } from "../support/node/index.ts";
import { nodeBinary } from "../support/paths.ts";
import { containerdPackage, packageTarget } from "./streams/containerd-package.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    mib: { type: "string", default: "512" },
    only: { type: "string", default: "" },
  },
});
const containerd = await containerdPackage();
if (containerd.is === "missing")
  process.stdout.write(`containerd cannot be had, so crio-ts alone: ${containerd.why}\n`);
const { code } = await runInNode({
  name: "bench-streams",
  command: [
    nodeBinary,
    "--disable-warning=ExperimentalWarning",
    "tests/bench/streams/inside.ts",
    values.rounds,
    values.mib,
    values.only,
  ],
  shares: containerd.is === "there" ? [{ source: containerd.path, target: packageTarget }] : [],
  timeoutMs: 3_600_000,
  leaksFail: false, // containerd keeps its images
  onOutput: (text) => process.stdout.write(text),
});
process.exitCode = code;
