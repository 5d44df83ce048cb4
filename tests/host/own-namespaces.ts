import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { nodeBinary } from "../support/paths.ts";
import { run } from "../support/programs.ts";

const mark = "CRIO_TS_IN_OWN_NAMESPACES";

/** Whether this process is the one that `runInside` started. */
export function isInside(): boolean {
  return process.env[mark] !== undefined;
}

/** Why `runInside` cannot be used here, or undefined. */
export function reasonNotInside(...programs: readonly string[]): string | undefined {
  if (process.getuid?.() !== 0) return "needs root";
  const directories = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];
  const missing = programs.filter((program) => !directories.some((directory) => existsSync(`${directory}/${program}`)));
  return missing.length === 0 ? undefined : `not installed: ${missing.join(", ")}`;
}

/**
 * Runs a test file again, all of it, in fresh network and mount namespaces with loopback up and an empty /run: what tests do to
 * interfaces, packet filters and mounts ends with it. Rejects with its output unless everything passes.
 */
export async function runInside(url: string): Promise<void> {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env; // it must report to people, not to the test runner above it
  const clean = Object.entries({ ...env, [mark]: "1" }).map(([key, value]) => `${key}=${value}`);
  const script = 'mount -t tmpfs tmpfs /run && ip link set lo up && exec "$@"';
  const unshare = ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-ec", script, "sh"];
  const self = [nodeBinary, "--test-reporter=spec", fileURLToPath(url)];
  const { code, stdout, stderr } = await run([...unshare, "env", "-i", ...clean, ...self], { timeoutMs: 180_000 });
  assert.equal(code, 0, `${stdout}\n${stderr}`);
  assert.match(stdout, /ℹ pass [1-9]/);
}
