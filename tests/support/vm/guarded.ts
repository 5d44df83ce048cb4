import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fixtureImages } from "../fixtures/index.ts";
import { type GuardReport, guarded } from "../node/index.ts";
import { projectRoot } from "../paths.ts";
import { runInVm, type VmOptions, type VmResult } from "./run.ts";

const reportFolder = "/run/node-report";
const bootMs = 120_000;

/**
 * Like {@link runInVm}, with what a throw-away node gives a test: a default route, the loopback registry under real names,
 * and an inventory before and after. Things left over fail it with code 70.
 */
export async function runGuardedInVm(options: VmOptions): Promise<VmResult & { readonly leaks: readonly string[] }> {
  const folder = await mkdtemp(join(tmpdir(), "crio-ts-report-"));
  const timeoutMs = options.timeoutMs ?? 900_000;
  const command = guarded({
    command: options.command,
    env: {},
    cwd: options.cwd ?? projectRoot,
    timeoutMs: Math.max(timeoutMs - bootMs, timeoutMs / 2),
    fixtures: await fixtureImages(),
    leaksFail: true,
    reportFile: join(reportFolder, "report.json"),
  });
  try {
    const shares = [...(options.shares ?? []), { source: folder, target: reportFolder, writable: true }];
    const result = await runInVm({ ...options, command, shares });
    const report = await readFile(join(folder, "report.json"), "utf8").catch(() => undefined);
    if (report === undefined) return { ...result, leaks: [] };
    const { leaks, timedOut } = JSON.parse(report) as GuardReport; // written by our own guard
    return { ...result, leaks, timedOut: timedOut || result.timedOut };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
