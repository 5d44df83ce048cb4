/** Runs the tests in steps, each with its time, and ends with one line: `N passed, N failed[, N skipped]`. */
import { globSync } from "node:fs";
import { nodeBinary, projectRoot } from "../../tests/support/paths.ts";
import { run } from "../../tests/support/programs.ts";
import { clients } from "./clients.ts";
import { type Counts, countsOf, failedStep, none, sum } from "./counts.ts";
import { inGuest } from "./in-guest.ts";
import { inNodes } from "./in-nodes.ts";
import { type Step, timed } from "./step.ts";
import { fileTimeoutMs, testFlags } from "./test-runner.ts";

const wanted = process.argv.slice(2);
const total = await main();
const skipped = total.skipped === 0 ? "" : `, ${total.skipped} skipped`;
process.stdout.write(`\n${total.passed} passed, ${total.failed} failed${skipped}\n`);
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;

async function main(): Promise<Counts> {
  const results: Counts[] = [];
  for (const step of steps()) {
    if (!isWanted(step)) continue;
    const counts = await timed(step);
    results.push(counts);
    // Without a build there is nothing to test.
    if (step.when === "always" && counts.failed > 0) break;
  }
  return results.reduce(sum, none);
}

function steps(): readonly Step[] {
  return [
    { part: "build", when: "always", name: "build", run: () => program(["node", "scripts/build.ts"]) },
    {
      part: "static",
      name: "lint",
      run: () => program(["node_modules/.bin/biome", "check", "--error-on-warnings", "src", "tests", "scripts"]),
    },
    { part: "static", name: "types", run: () => program(["node_modules/.bin/tsc", "-p", "tsconfig.json"]) },
    { part: "unit", name: "unit tests", run: unitTests },
    {
      part: "host",
      name: "real programs, in throw-away nodes",
      run: async () => await inNodes(testFiles("host", "tests/host/*.test.ts"), await clients("crictl")),
    },
    {
      part: "conformance",
      name: "critest, with crun and with runc",
      run: async () => {
        const files = testFiles(
          "conformance",
          "tests/conformance/critest-c*.test.ts",
          "tests/conformance/critest-r*.test.ts",
        );
        return await inNodes(files, await clients("critest"));
      },
    },
    {
      part: "vm",
      name: "systemd, cgroup v2 and AppArmor, in a virtual machine",
      run: async () => await inGuest(testFiles("vm", "tests/vm/*.test.ts"), await clients("crictl")),
    },
    ...(["systemd", "cgroupfs"] as const).map(
      (manager): Step => ({
        part: `vm-${manager}`,
        when: "named",
        name: `the tests of the nodes, in a virtual machine, with cgroups by ${manager}`,
        run: async () => {
          const files = testFiles(`vm-${manager}`, "tests/host/*.test.ts");
          const { env, counts } = await clients("crictl");
          return await inGuest(files, { env: { ...env, CRIO_TS_CGROUP_MANAGER: manager }, counts });
        },
      }),
    ),
  ];
}

/** `./test` runs all but what has to be named; otherwise the parts that are named, and `host/NAME` a file of one. */
function isWanted({ part, when }: Step): boolean {
  if (when === "always") return true;
  if (wanted.length === 0) return when !== "named";
  return wanted.some((word) => word === part || word.startsWith(`${part}/`));
}

async function program([command = "", ...args]: readonly string[]): Promise<Counts> {
  const done = await run([command === "node" ? nodeBinary : command, ...args], {
    cwd: projectRoot,
    timeoutMs: fileTimeoutMs,
  });
  return done.code === 0 ? none : failedStep(`${done.stdout}${done.stderr}`);
}

async function unitTests(): Promise<Counts> {
  const files = [
    ...globSync("src/**/*.test.ts", { cwd: projectRoot }),
    "tests/architecture.test.ts",
    "tests/capabilities.test.ts",
  ];
  const done = await run([nodeBinary, ...testFlags, "--test-concurrency=2", ...files], {
    cwd: projectRoot,
    timeoutMs: fileTimeoutMs,
  });
  return countsOf(done);
}

/** The files of a part that are wanted: all of it, or those that are named. */
function testFiles(part: string, ...patterns: readonly string[]): string[] {
  const all = globSync(patterns, { cwd: projectRoot }).sort();
  const names = wanted.filter((word) => word.startsWith(`${part}/`)).map((word) => word.slice(part.length + 1));
  const chosen =
    names.length === 0 ? all : all.filter((file) => names.some((name) => file.endsWith(`/${name}.test.ts`)));
  if (chosen.length === 0)
    throw new Error(`${part}: there is no test of the name ${names.join(" or ")} (${patterns.join(" ")})`);
  return chosen;
}
