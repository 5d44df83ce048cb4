import type { BigIntStats } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "../base/index.ts";

export interface ParsedFile<T> {
  readonly name: string;
  readonly path: string;
  /** The place of its directory among the directories. */
  readonly directory: number;
  /** Undefined when it could not be understood. */
  readonly value: T | undefined;
}

export interface ParsedFilesOptions<T> {
  readonly accepts: (name: string) => boolean;
  /** Reads one. */
  readonly read: (path: string) => Promise<T>;
  /** Told of one that could not be read, once for as long as it does not change. */
  readonly onTrouble: (path: string, error: unknown) => void;
}

/**
 * The files of some directories as values. They are looked at whenever somebody asks, and read again only when they have changed: what is there
 * now counts, and nothing has to be watched. Missing directories are empty.
 */
export class ParsedFiles<T> {
  readonly #options: ParsedFilesOptions<T>;
  readonly #known = new Map<string, { readonly version: string; readonly value: T }>();
  /** Versions of files that could not be read, by path. They are tried again each time: what kept them from it may pass. */
  readonly #troubles = new Map<string, string>();

  constructor(options: ParsedFilesOptions<T>) {
    this.#options = options;
  }

  async list(directories: readonly string[]): Promise<readonly ParsedFile<T>[]> {
    const files: { name: string; path: string; directory: number; version: string }[] = [];
    for (const [directory, directoryPath] of directories.entries()) {
      for (const name of await namesIn(directoryPath)) {
        const path = join(directoryPath, name);
        const found = this.#options.accepts(name) ? await statIfThere(path) : undefined;
        if (found !== undefined) files.push({ name, path, directory, version: versionOf(found) });
      }
    }
    const paths = new Set(files.map(({ path }) => path));
    for (const known of [this.#known, this.#troubles]) {
      for (const path of known.keys()) if (!paths.has(path)) known.delete(path);
    }
    return await Promise.all(
      files.map(async ({ version, ...file }) => ({ ...file, value: await this.#valueOf(file.path, version) })),
    );
  }

  async #valueOf(path: string, version: string): Promise<T | undefined> {
    const known = this.#known.get(path);
    if (known?.version === version) return known.value;
    try {
      const value = await this.#options.read(path);
      this.#known.set(path, { version, value });
      this.#troubles.delete(path);
      return value;
    } catch (error) {
      if (this.#troubles.get(path) !== version) this.#options.onTrouble(path, error);
      this.#troubles.set(path, version);
      return undefined;
    }
  }
}

async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return (await readdir(directory)).toSorted();
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return [];
    throw error;
  }
}

async function statIfThere(path: string): Promise<BigIntStats | undefined> {
  try {
    return await stat(path, { bigint: true });
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined; // removed in the meantime, or a dangling link
    throw error;
  }
}

function versionOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(":");
}
