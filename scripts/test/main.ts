/** Runs the tests in steps, each with its time, and ends with one line: `N passed, N failed[, N skipped]`. */
import { globSync } from "node:fs";
import { basename } from "node:path";
import { crictl } from "../../tests/support/clients.ts";
import { runInNode } from "../../tests/support/node/index.ts";
import { nodeBinary, projectRoot } from "../../tests/support/paths.ts";
import { run } from "../../tests/support/programs.ts";
import { runGuardedInVm } from "../../tests/support/vm/index.ts";
import { type Counts, countsOf, failedStep, none, sum } from "./counts.ts";
import { type Step, timed } from "./step.ts";

const fileTimeoutMs = 15 * 60_000;
const nodesAtOnce = 2;
const testFlags = ["--test", "--test-reporter=spec", "--disable-warning=ExperimentalWarning"];

const wanted = process.argv.slice(2);
const total = await main();
const skipped = total.skipped === 0 ? "" : `, ${total.skipped} skipped`;
process.stdout.write(`\n${total.passed} passed, ${total.failed} failed${skipped}\n`);
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;

async function main(): Promise<Counts> {
  const results: Counts[] = [];
  for (const step of steps()) {
    if (step.part !== "always" && !isWanted(step.part)) continue;
    const counts = await timed(step);
    results.push(counts);
    // Without a build there is nothing to test.
    if (step.part === "always" && counts.failed > 0) break;
  }
  return results.reduce(sum, none);
}

function steps(): readonly Step[] {
  return [
    { part: "always", name: "build", run: () => program(["node", "scripts/build.ts"]) },
    {
      part: "static",
      name: "lint",
      run: () => program(["node_modules/.bin/biome", "check", "--error-on-warnings", "src", "tests", "scripts"]),
    },
    { part: "static", name: "types", run: () => program(["node_modules/.bin/tsc", "-p", "tsconfig.json"]) },
    { part: "unit", name: "unit tests", run: unitTests },
    { part: "host", name: "real programs, in throw-away nodes", run: hostTests },
    { part: "vm", name: "systemd, cgroup v2 and AppArmor, in a virtual machine", run: vmTests },
  ];
}

/** `./test` runs all; otherwise the parts that are named, and `host/NAME` a file of one. */
function isWanted(part: string): boolean {
  return wanted.length === 0 || wanted.some((word) => word === part || word.startsWith(`${part}/`));
}

async function program([command = "", ...args]: readonly string[]): Promise<Counts> {
  const done = await run([command === "node" ? nodeBinary : command, ...args], {
    cwd: projectRoot,
    timeoutMs: fileTimeoutMs,
  });
  return done.code === 0 ? none : failedStep(`${done.stdout}${done.stderr}`);
}

async function unitTests(): Promise<Counts> {
  const files = [...globSync("src/**/*.test.ts", { cwd: projectRoot }), "tests/architecture.test.ts"];
  const done = await run([nodeBinary, ...testFlags, "--test-concurrency=2", ...files], {
    cwd: projectRoot,
    timeoutMs: fileTimeoutMs,
  });
  return countsOf(done);
}

/** Each file in a node of its own, two at a time. */
async function hostTests(): Promise<Counts> {
  const client = await crictl();
  if (client.is === "missing") {
    const complaint = `crictl cannot be built: ${client.why}\n`;
    // CI has a toolchain; elsewhere the daemon can be tested without its client only in part.
    return process.env.CI === "true" ? failedStep(complaint) : { ...none, skipped: 1, output: complaint };
  }
  const env = { CRIO_TS_CRICTL: client.path, CI: process.env.CI ?? "" };
  const files = testFiles("host");
  const results: Counts[] = [];
  const next = async (): Promise<void> => {
    for (let file = files.shift(); file !== undefined; file = files.shift()) {
      const name = basename(file, ".test.ts");
      const startMs = Date.now();
      const done = await runInNode({
        name,
        command: [nodeBinary, ...testFlags, file],
        env,
        timeoutMs: fileTimeoutMs,
      });
      const counts = countsOf({ code: done.code, stdout: done.output, stderr: "" });
      const leaks = done.leaks.length === 0 ? "" : `left over: ${done.leaks.join("; ")}\n`;
      results.push({ ...counts, output: counts.output + leaks });
      const seconds = ((Date.now() - startMs) / 1000).toFixed(0);
      process.stdout.write(`   ${name}: ${counts.passed} passed, ${counts.failed} failed, ${seconds} s\n`);
    }
  };
  await Promise.all(Array.from({ length: nodesAtOnce }, next));
  return results.reduce(sum, none);
}

async function vmTests(): Promise<Counts> {
  const client = await crictl();
  const done = await runGuardedInVm({
    command: [nodeBinary, ...testFlags, "--test-concurrency=1", ...testFiles("vm")],
    env: client.is === "there" ? { CRIO_TS_CRICTL: client.path } : {},
    timeoutMs: fileTimeoutMs,
  });
  const counts = countsOf({ code: done.code, stdout: done.output, stderr: "" });
  const leaks = done.leaks.length === 0 ? "" : `left over: ${done.leaks.join("; ")}\n`;
  return { ...counts, output: counts.output + leaks };
}

function testFiles(part: "host" | "vm"): string[] {
  const all = globSync(`tests/${part}/*.test.ts`, { cwd: projectRoot }).sort();
  const names = wanted.filter((word) => word.startsWith(`${part}/`)).map((word) => word.slice(part.length + 1));
  return names.length === 0 ? all : all.filter((file) => names.includes(basename(file, ".test.ts")));
}
