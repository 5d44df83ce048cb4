import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

export interface AtomicWriteOptions {
  /** Permissions of the file, whatever the umask and whatever it replaces. */
  readonly mode: number;
  /** Survives a power failure once this resolves: the file and its directory are fsynced. */
  readonly durable: boolean;
}

/**
 * Puts `data` at `path` so that a reader sees the old content or the new one, never a mixture and never a part:
 * written beside it, then renamed. On failure nothing of it remains. Rejects with Node's own error (ENOSPC, ENOENT …).
 */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array,
  options: AtomicWriteOptions,
): Promise<void> {
  // Not made from the file's name: that may already be as long as a name can be.
  const beside = join(dirname(path), `.tmp-${randomBytes(8).toString("hex")}`);
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
