import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { lstat, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readProcess } from "../host/index.ts";

/** A directory for the files of one exec: the process to start, its pid, its output. The caller removes it. */
export async function makeExecDirectory(): Promise<string> {
  return await mkdtemp(join(tmpdir(), `crio-exec-${process.pid}-`));
}

/**
 * As `makeExecDirectory`, at once, in a directory that lies in memory (a tmpfs): an exec that is waited for starts without four trips
 * through the thread pool. Returns the path of the file in it, which holds `processJson`.
 */
export function writeExecFiles(
  parent: string,
  processJson: string,
): { readonly dir: string; readonly processFile: string } {
  const dir = mkdtempSync(join(parent, `crio-exec-${process.pid}-`));
  const processFile = join(dir, "process.json");
  try {
    writeFileSync(processFile, processJson, { mode: 0o600 });
    return { dir, processFile };
  } catch (error) {
    rmSync(dir, { recursive: true, force: true });
    throw error;
  }
}

/**
 * Removes the directories of execs whose daemon is no more: it was killed before it could. To be called before the first exec,
 * since one with this process' pid is taken for a predecessor's.
 */
export async function removeStaleExecDirectories(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const pid = /^crio-exec-(\d{1,10})-\w+$/.exec(name)?.[1];
    if (pid === undefined || (await isOtherDaemon(Number(pid)))) continue;
    if (await isOurs(join(parent, name))) await rm(join(parent, name), { recursive: true, force: true });
  }
}

async function isOtherDaemon(pid: number): Promise<boolean> {
  return pid !== process.pid && (await readProcess(pid))?.command === "crio";
}

/** In a directory that everybody may write to: of this user, and closed to all others, so that nobody has put a trap in it. */
async function isOurs(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  return found?.isDirectory() === true && found.uid === process.geteuid?.() && (found.mode & 0o077) === 0;
}
