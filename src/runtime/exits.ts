import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "../base/index.ts";
import { DirectoryWatch, readBounded } from "../host/index.ts";

/** A container ended, says the file that its conmon left in the exits directory. */
export interface Exit {
  readonly containerId: string;
}

/** How a container ended, as conmon wrote it down. */
export interface ExitRecord {
  /** 128 + n for a process that signal n ended; -1 when conmon itself timed out. */
  readonly code: number;
  readonly finishedAtNs: bigint;
}

/**
 * The ends of containers as they happen. Names of files that appear in the exits directory are given out once each;
 * the reader removes a file with `forgetExit` when all it means has been done.
 */
export class ExitWatch implements AsyncIterable<Exit> {
  readonly #watch: DirectoryWatch;

  constructor(exitsDir: string) {
    this.#watch = new DirectoryWatch(exitsDir);
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Exit> {
    for await (const name of this.#watch) {
      if (/^[0-9a-f]{64}$/.test(name)) yield { containerId: name };
    }
  }

  stop(): void {
    this.#watch.stop();
  }
}

/** Removes a container's file from the exits directory; missing is fine. */
export async function forgetExit(exitsDir: string, id: string): Promise<void> {
  await rm(join(exitsDir, id), { force: true });
}

/** The same for a container whose monitor was killed, perhaps while it wrote: its half-written file goes too. */
export async function removeExitFiles(exitsDir: string, id: string): Promise<void> {
  for (const name of await readdir(exitsDir)) {
    if (name === id || name.startsWith(`${id}.`)) await rm(join(exitsDir, name), { force: true });
  }
}

/** What conmon left in the container's Dir; undefined while there is nothing (the container runs, or conmon died first). */
export async function readExit(persistDir: string): Promise<ExitRecord | undefined> {
  const path = join(persistDir, "exit");
  try {
    const text = (await readBounded(path, 64)).toString().trim();
    if (!/^-?\d{1,9}$/.test(text)) return undefined;
    const { ctimeNs } = await stat(path, { bigint: true });
    return { code: Number(text), finishedAtNs: ctimeNs };
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Whether conmon saw the kernel kill something in the container for want of memory. */
export async function wasOomKilled(bundle: string): Promise<boolean> {
  return (await stat(join(bundle, "oom")).catch(() => undefined)) !== undefined;
}
