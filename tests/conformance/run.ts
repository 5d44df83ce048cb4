/**
 * node tests/conformance/run.ts [options]     runs critest against the built daemon in a fresh node, and prints what did not pass
 *   --runtime crun|runc   default: crun
 *   --focus REGEX         only specs whose name matches
 *   --skip REGEX          not these (the benchmarks are always left out)
 *   --websocket           streams by WebSocket instead of SPDY
 *   --keep FOLDER         keeps the daemon's log (crio.log) and the whole result (specs.json) there
 *   --timeout SECONDS     default: 1200
 *   --vm                  in the virtual machine: systemd, cgroup v2 and AppArmor; several times slower
 *   --verbose             critest's own words as it goes
 */
import { mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { critest } from "../support/clients.ts";
import { runInNode } from "../support/node/index.ts";
import { nodeBinary } from "../support/paths.ts";
import { runGuardedInVm } from "../support/vm/index.ts";

const { values } = parseArgs({
  options: {
    runtime: { type: "string", default: "crun" },
    focus: { type: "string" },
    skip: { type: "string" },
    keep: { type: "string" },
    timeout: { type: "string", default: "1200" },
    vm: { type: "boolean", default: false },
    websocket: { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
  },
});
const program = await critest((text) => process.stderr.write(`${text}\n`));
if (program.is === "missing") throw new Error(program.why);
const keep = values.keep === undefined ? undefined : resolve(values.keep);
if (keep !== undefined) await mkdir(keep, { recursive: true });
const timeoutMs = Number(values.timeout) * 1000;
const inside = fileURLToPath(new URL("run-inside.ts", import.meta.url));
const options = {
  command: [nodeBinary, inside, JSON.stringify({ ...values, keep, timeoutMs })],
  env: { CRIO_TS_CRITEST: program.path },
  timeoutMs: timeoutMs + 180_000,
  shares: keep === undefined ? [] : [{ source: keep, writable: true }],
};
const result = values.vm
  ? await runGuardedInVm({ ...options, onOutput: (text) => void process.stdout.write(text) })
  : await runInNode({ ...options, name: "critest", attached: true });
process.exitCode = result.code;
