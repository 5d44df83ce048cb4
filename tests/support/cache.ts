import { createHash, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

/** Where things that are slow to make are kept between runs: `$CRIO_TS_CACHE`, else `~/.cache/crio-ts`; never in the repository. */
export function cacheRoot(): string {
  return process.env.CRIO_TS_CACHE || join(homedir(), ".cache", "crio-ts");
}

export interface CacheEntry {
  /** Kind of thing, a folder below the cache root: `"userland"`. */
  readonly name: string;
  /** Names the content of all inputs, from {@link contentKey}: another key, another entry. */
  readonly key: string;
  /** Makes the thing, a file or a folder, at `path`; called only when it is not there yet. */
  readonly build: (path: string) => Promise<void>;
  /** Entries of this kind to keep, newest use first. Default 2: a branch and its base. */
  readonly keep?: number;
}

/**
 * Returns the path of a cached thing, building it first when no entry has its key. An entry appears whole or not at all;
 * of two that build the same one at the same time, the second to finish throws its own away.
 */
export async function cached({ name, key, build, keep = 2 }: CacheEntry): Promise<string> {
  const folder = join(cacheRoot(), name);
  const path = join(folder, key);
  if (!existsSync(path)) {
    await mkdir(folder, { recursive: true });
    const unfinished = join(folder, `.unfinished-${process.pid}-${randomUUID()}`);
    try {
      await build(unfinished);
      await rename(unfinished, path).catch((error) => {
        if (!existsSync(path)) throw error;
      });
    } finally {
      await rm(unfinished, { recursive: true, force: true });
    }
    await prune(folder, keep);
  }
  const now = new Date();
  await utimes(path, now, now).catch(() => {}); // a cache shared read-only with a guest cannot be touched
  return path;
}

/** A short name for the content of several inputs. */
export function contentKey(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest("hex").slice(0, 16);
}

/** The content of files, as parts for {@link contentKey}. */
export function contentOf(paths: readonly (string | URL)[]): Promise<Buffer[]> {
  return Promise.all(paths.map((path) => readFile(path)));
}

async function prune(folder: string, keep: number): Promise<void> {
  const entries = await readdir(folder);
  const dead = entries.filter((entry) => {
    const builder = /^\.unfinished-(\d+)-/.exec(entry)?.[1];
    return builder !== undefined && !existsSync(`/proc/${builder}`);
  });
  const whole = await Promise.all(
    entries
      .filter((entry) => !entry.startsWith("."))
      .map(async (entry) => ({ entry, used: (await stat(join(folder, entry))).mtimeMs })),
  );
  const old = whole.toSorted((a, b) => b.used - a.used).slice(keep);
  for (const entry of [...dead, ...old.map((each) => each.entry)]) {
    await rm(join(folder, entry), { recursive: true, force: true });
  }
}
