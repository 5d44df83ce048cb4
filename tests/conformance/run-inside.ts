/** The part of run.ts that runs in the node; see there. */
import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type RuntimeName, startDaemon } from "../support/daemon/index.ts";
import { prepareHostForCritest } from "./prepare-host.ts";
import { critestPath, runCritest } from "./run-critest.ts";

interface Options {
  readonly runtime: RuntimeName;
  readonly focus?: string;
  readonly skip?: string;
  readonly keep?: string;
  readonly timeoutMs: number;
  readonly vm: boolean;
  readonly websocket: boolean;
  readonly verbose: boolean;
}

const { runtime, keep, vm, websocket, verbose, focus, skip, timeoutMs } = JSON.parse(process.argv[2] ?? "") as Options; // from run.ts
const program = critestPath();
if (program === undefined) throw new Error("CRIO_TS_CRITEST names no critest");
await using _host = await prepareHostForCritest();
const daemon = await startDaemon({ runtime, cgroupManager: vm ? "systemd" : "cgroupfs" });
try {
  const results = await runCritest(program, {
    socket: daemon.socket,
    timeoutMs,
    webSocket: websocket,
    ...(focus === undefined ? {} : { focus }),
    ...(skip === undefined ? {} : { skip }),
    ...(verbose ? { onOutput: (text: string) => void process.stdout.write(text) } : {}),
  });
  if (keep !== undefined) await writeFile(join(keep, "specs.json"), JSON.stringify(results, undefined, 1));
  // a spec that a filter left out has no message
  const told = results.filter(
    (spec) => spec.outcome !== "passed" && (spec.message !== "" || spec.outcome === "failed"),
  );
  for (const spec of told) process.stdout.write(`${spec.outcome}: ${spec.name}\n    ${firstLine(spec.message)}\n`);
  const count = (outcome: string) => results.filter((spec) => spec.outcome === outcome).length;
  const failed = count("failed");
  process.stdout.write(
    `${runtime}: ${count("passed")} passed, ${failed} failed, ${count("skipped")} skipped or left out\n`,
  );
  process.exitCode = failed > 0 ? 1 : 0;
} finally {
  await daemon[Symbol.asyncDispose]();
  if (keep !== undefined) await copyFile(join(daemon.dir, "crio.log"), join(keep, "crio.log"));
}

function firstLine(text: string): string {
  return text.slice(0, 600).replace(/\s+/g, " ");
}
