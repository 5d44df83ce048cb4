import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errnoOf } from "../base/index.ts";
import { readProcess } from "./processes.ts";

export interface AtomicWriteOptions {
  /** Permissions of the file, whatever the umask and whatever it replaces. */
  readonly mode: number;
  /** Survives a power failure once this resolves: the file and its directory are fsynced. */
  readonly durable: boolean;
}

/**
 * Puts `data` at `path` so that a reader sees the old content or the new one, never a mixture and never a part:
 * written beside it, then renamed. On failure nothing of it remains; what a process that was killed leaves, `removeUnfinishedWrites`
 * removes. Rejects with Node's own error (ENOSPC, ENOENT …).
 */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array,
  options: AtomicWriteOptions,
): Promise<void> {
  // Not made from the file's name: that may already be as long as a name can be.
  const beside = join(dirname(path), `.tmp-${process.pid}-${randomBytes(8).toString("hex")}`);
  const file = await open(beside, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600);
  try {
    await fill(file, data, options);
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
  if (options.durable) await syncDirectory(dirname(path));
}

/** Removes files that were being written in these directories by processes that are no more. A missing directory is fine. */
export async function removeUnfinishedWrites(...directories: readonly string[]): Promise<void> {
  for (const directory of directories) {
    for (const name of await namesIn(directory)) {
      const pid = /^\.tmp-(\d{1,10})-[0-9a-f]{16}$/.exec(name)?.[1];
      if (pid === undefined || Number(pid) === process.pid || (await readProcess(Number(pid))) !== undefined) continue;
      await rm(join(directory, name), { force: true });
    }
  }
}

async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  }
}

async function fill(file: FileHandle, data: string | Uint8Array, options: AtomicWriteOptions): Promise<void> {
  try {
    await file.writeFile(data);
    await file.chmod(options.mode);
    if (options.durable) await file.sync();
  } finally {
    await file.close();
  }
}

/** fsync of a directory: makes the names in it durable. */
export async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  await directory.sync();
}
