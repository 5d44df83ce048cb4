/** For tests: running a test file again where its mounts are nobody else's. */
import assert from "node:assert/strict";
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findProgram, mountTmpfs, runProgram, unmount } from "../../host/index.ts";

const mark = "CRIO_TS_PRIVATE_MOUNTS";

/** Whether this process is the one that `runInPrivateMounts` started. */
export function hasPrivateMounts(): boolean {
  return process.env[mark] !== undefined;
}

/**
 * Runs a test file again in a mount namespace of its own: the whole process, since threads that exist when one thread
 * unshares stay where they are. Rejects with its output unless everything passes.
 */
export async function runInPrivateMounts(url: string): Promise<void> {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env; // it must report to us, not to the test runner above
  const variables = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const unshare = await findProgram("unshare");
  assert.ok(unshare, "unshare(1) is needed");
  const args = ["--mount", "--propagation", "private", process.execPath, "--test-reporter=spec", fileURLToPath(url)];
  const result = await runProgram(unshare, args, {
    timeoutMs: 240_000,
    env: { ...Object.fromEntries(variables), [mark]: "1" },
    maxOutputBytes: 16 * 2 ** 20,
  });
  assert.deepEqual(result.exit, { is: "exited", code: 0 }, `${result.stdout}\n${result.stderr}`);
  assert.match(result.stdout.toString(), /ℹ pass [1-9]/);
}

/** A directory on a tmpfs of its own. */
export function freshTmpfs(sizeBytes?: number): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), "crio-ts-store-"));
  mountTmpfs({ target: path, mode: "0700", flags: [], ...(sizeBytes === undefined ? {} : { sizeBytes }) });
  return {
    path,
    [Symbol.dispose]() {
      unmount(path, { detach: true });
      rmdirSync(path);
    },
  };
}
