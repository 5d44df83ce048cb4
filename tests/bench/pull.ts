/**
 * npm run bench:pull        pulls of crio-ts, skopeo and containerd, in turn, beside the floors
 *   --rounds N              pulls of each (default 3); their median counts
 *   --only WORD             only the image of this name: "few" or "many"
 *   --profile               where crio-ts spends its time, as .cpuprofile files in the folder that is printed; nothing else is measured
 */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runInNode } from "../support/node/index.ts";
import { nodeBinary } from "../support/paths.ts";
import { benchImages, imagesTarget } from "./pull/images.ts";
import { profileTarget } from "./pull/inside-options.ts";
import { containerdPackage, packageTarget } from "./streams/containerd-package.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    only: { type: "string", default: "" },
    profile: { type: "boolean", default: false },
  },
});
const containerd = await containerdPackage();
if (containerd.is === "missing") process.stdout.write(`containerd cannot be had: ${containerd.why}\n`);
const images = await benchImages((text) => process.stdout.write(`${text}\n`));
const profiles = values.profile ? await mkdtemp(join(tmpdir(), "bench-pull-")) : undefined;
if (profiles !== undefined) process.stdout.write(`profiles go to ${profiles}\n`);
const { code } = await runInNode({
  name: "bench-pull",
  command: [
    nodeBinary,
    "--disable-warning=ExperimentalWarning",
    "tests/bench/pull/inside.ts",
    values.rounds,
    values.only,
  ],
  shares: [
    { source: images, target: imagesTarget },
    ...(containerd.is === "there" ? [{ source: containerd.path, target: packageTarget }] : []),
    ...(profiles === undefined ? [] : [{ source: profiles, target: profileTarget, writable: true }]),
  ],
  timeoutMs: 3_600_000,
  leaksFail: false, // containerd keeps what it pulled
  onOutput: (text) => process.stdout.write(text),
});
process.exitCode = code;
