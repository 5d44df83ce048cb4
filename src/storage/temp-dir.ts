import { randomBytes } from "node:crypto";
import { mkdir, readdir, rename, unlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { errnoOf, isFault, type Logger, reasonOf } from "../base/index.ts";
import { type FileLock, lockFile } from "../host/index.ts";

/** Removes a directory tree; a missing one is fine. */
export type RemoveTree = (directory: string) => Promise<void>;

/**
 * A directory for what is not yet, or no longer, part of the store: `temp-dir-<name>` beside `lock-<name>`, which stays
 * locked as long as it is in use. Whoever opens the store and can have the lock may remove both, so a crash leaves nothing
 * for long. The layout is that of containers/storage, whose programs clean up after us and we after them.
 */
export class TempDir {
  readonly path: string;
  readonly #lock: FileLock;
  readonly #lockPath: string;
  readonly #remove: RemoveTree;
  #count = 0;

  private constructor(path: string, lockPath: string, lock: FileLock, remove: RemoveTree) {
    this.path = path;
    this.#lockPath = lockPath;
    this.#lock = lock;
    this.#remove = remove;
  }

  static async create(parent: string, remove: RemoveTree): Promise<TempDir> {
    await mkdir(parent, { recursive: true, mode: 0o700 });
    const name = randomBytes(8).readBigUInt64LE().toString();
    const lockPath = join(parent, `lock-${name}`);
    const lock = await lockFile(lockPath, "write", { timeoutMs: lockTimeoutMs });
    const path = join(parent, `temp-dir-${name}`);
    try {
      await mkdir(path, { mode: 0o700 });
      return new TempDir(path, lockPath, lock, remove);
    } catch (error) {
      await unlink(lockPath).catch(() => {});
      lock.release();
      throw error;
    }
  }

  /** A path for something new in here. */
  newPath(name: string): string {
    return join(this.path, `${this.#count++}-${name}`);
  }

  /** Moves a file or directory in here, to be removed with the rest. False when it does not exist. */
  async take(path: string): Promise<boolean> {
    try {
      await rename(path, this.newPath(basename(path)));
      return true;
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return false;
      throw error;
    }
  }

  /** Removes it with all that is in it. Not under a lock of the store: it may take long. */
  async remove(): Promise<void> {
    try {
      await this.#remove(this.path);
      await unlink(this.#lockPath).catch(ignoreMissing);
    } finally {
      this.#lock.release();
    }
  }
}

/** Nobody waits for the lock of a new one; this is for a program that looks whether it is in use. */
const lockTimeoutMs = 10_000;

/** Removes what crashed programs have left in `parent`, and leaves alone what is in use. */
export async function removeStaleTempDirs(parent: string, remove: RemoveTree, log: Logger): Promise<void> {
  for (const name of await tempDirNames(parent)) {
    const lockPath = join(parent, `lock-${name}`);
    try {
      using _lock = await lockFile(lockPath, "write", { timeoutMs: 0 });
      await remove(join(parent, `temp-dir-${name}`));
      await unlink(lockPath).catch(ignoreMissing);
      log.info("removed what an earlier program left unfinished in the store", { directory: parent, name });
    } catch (error) {
      if (isFault(error, "deadline")) continue;
      log.warn("a temporary directory of the store cannot be removed", {
        directory: parent,
        name,
        why: reasonOf(error),
      });
    }
  }
}

async function tempDirNames(parent: string): Promise<ReadonlySet<string>> {
  const entries = await readdir(parent).catch((error) => {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  });
  return new Set(entries.flatMap((entry) => /^(?:lock|temp-dir)-(.+)$/.exec(entry)?.[1] ?? []));
}

function ignoreMissing(error: unknown): void {
  if (errnoOf(error) !== "ENOENT") throw error;
}
