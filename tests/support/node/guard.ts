/**
 * Runs in a node, or in the virtual machine, around one command: gives the place its network, names, trust and registry,
 * takes an inventory, runs the command, waits until the place has settled, and writes down what is left over.
 */
import { spawn } from "node:child_process";
import { rename, writeFile } from "node:fs/promises";
import { exitCode, killGroup } from "../programs.ts";
import { startNodeRegistry } from "../registry/index.ts";
import { type GuardOptions, type GuardReport, leakExitCode } from "./guard-options.ts";
import { differencesAfterSettling, takeInventory } from "./inventory.ts";
import { prepareWorld } from "./world.ts";

const killAfterMs = 10_000;

async function guard(options: GuardOptions): Promise<GuardReport> {
  await prepareWorld();
  await using registry = options.fixtures === undefined ? undefined : await startNodeRegistry(options.fixtures);
  const before = await takeInventory();
  const { code, timedOut } = await runCommand(options, registry?.env ?? {});
  // images that a test pulled stay in the store of its node: that is what a pull is for
  const leaks = await differencesAfterSettling(before, { ignore: ["images"] });
  const failed = leaks.length > 0 && options.leaksFail;
  if (leaks.length > 0) process.stderr.write(`left over in the node:\n${leaks.map((leak) => `  ${leak}\n`).join("")}`);
  return { code: code === 0 && failed ? leakExitCode : code, timedOut, leaks };
}

function runCommand(
  options: GuardOptions,
  registryEnv: Readonly<Record<string, string>>,
): Promise<{ code: number; timedOut: boolean }> {
  const [program = "", ...args] = options.command;
  const env = {
    ...process.env,
    CONTAINER_RUNTIME_ENDPOINT: "unix:///var/run/crio/crio.sock",
    ...registryEnv,
    ...options.env,
  };
  return new Promise((resolve, reject) => {
    const foreground = process.stdin.isTTY === true; // a group of its own could not read the terminal
    const child = spawn(program, args, { cwd: options.cwd, env, stdio: "inherit", detached: !foreground });
    let timedOut = false;
    const ask = setTimeout(() => {
      timedOut = true;
      process.stderr.write(`the command did not end within ${options.timeoutMs / 1000} s\n`);
      killGroup(child, "SIGTERM");
    }, options.timeoutMs);
    const insist = setTimeout(() => killGroup(child, "SIGKILL"), options.timeoutMs + killAfterMs);
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      clearTimeout(ask);
      clearTimeout(insist);
      resolve({ code: timedOut ? 124 : exitCode(code, signal), timedOut });
    });
  });
}

const options = JSON.parse(process.argv[2] ?? "") as GuardOptions; // written by our own launcher
process.on("SIGINT", () => {}); // of the terminal: for the command
const report = await guard(options);
await writeFile(`${options.reportFile}.new`, JSON.stringify(report));
await rename(`${options.reportFile}.new`, options.reportFile);
process.exitCode = report.code;
