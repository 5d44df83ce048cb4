import type { BigIntStats } from "node:fs";
import { type FSWatcher, watch } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { errnoOf } from "../base/index.ts";

// The kernel's queue of events overflows without a word (16384 events, measured), so the directory itself is looked at
// again: often enough that nobody notices, and cheap enough, since it is one stat while the directory has not changed.
const defaultRescanMs = 1000;
// Within a tick of the kernel's clock a change may leave the directory's time as it was. Older than this, it tells.
const settledMs = 2000;

export interface DirectoryWatchOptions {
  /** Default 1000. */
  readonly rescanMs?: number;
  /** Names it says no to are never yielded. */
  readonly accepts?: (name: string) => boolean;
  /** Told when the kernel does not notify us (its limits are reached) or the directory cannot be read; the rescan goes on. */
  readonly onTrouble?: (error: unknown) => void;
}

/**
 * The names in a directory: those that are there, then those that come, each once until it is gone again. A name that
 * goes and comes back between two looks counts as having stayed. The directory may be missing for a while.
 *
 * For one `for await` loop, which ends after `stop()`; leaving the loop stops it too.
 */
export class DirectoryWatch implements AsyncIterable<string> {
  readonly #path: string;
  readonly #options: DirectoryWatchOptions;
  #known: ReadonlySet<string> = new Set();
  #stopped = false;
  #disturbed = false;
  #wake: () => void = () => {};
  #timer: NodeJS.Timeout | undefined;
  #watcher: FSWatcher | undefined;
  #watchedIdentity: string | undefined;
  #settledTime: bigint | undefined;

  constructor(path: string, options: DirectoryWatchOptions = {}) {
    this.#path = path;
    this.#options = options;
  }

  /** Ends the loop, at once if it is waiting. Idempotent. */
  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
    this.#unwatch();
    this.#disturb();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string, void, undefined> {
    this.#timer = setInterval(() => void this.#recheck(), this.#options.rescanMs ?? defaultRescanMs);
    try {
      while (!this.#stopped) {
        for (const name of await this.#newNames()) {
          if (this.#stopped) return;
          yield name;
        }
        await this.#disturbance();
      }
    } finally {
      this.stop();
    }
  }

  /** Looks at the directory, and first makes sure that what happens after this look is noticed. */
  async #newNames(): Promise<readonly string[]> {
    try {
      const seen = await stat(this.#path, { bigint: true });
      this.#watch(seen);
      const ageMs = BigInt(Date.now()) - seen.mtimeNs / 1_000_000n;
      this.#settledTime = ageMs > settledMs ? seen.mtimeNs : undefined;
      const accepts = this.#options.accepts ?? (() => true);
      const names = (await readdir(this.#path)).filter(accepts);
      const added = names.filter((name) => !this.#known.has(name));
      this.#known = new Set(names);
      return added;
    } catch (error) {
      this.#unwatch();
      this.#settledTime = undefined;
      if (errnoOf(error) === "ENOENT") this.#known = new Set();
      else this.#options.onTrouble?.(error);
      return [];
    }
  }

  async #recheck(): Promise<void> {
    const seen = await stat(this.#path, { bigint: true }).catch(() => undefined);
    const isAsBefore =
      seen !== undefined && seen.mtimeNs === this.#settledTime && identityOf(seen) === this.#watchedIdentity;
    if (!isAsBefore) this.#disturb();
  }

  #watch(seen: BigIntStats): void {
    if (this.#stopped || identityOf(seen) === this.#watchedIdentity) return;
    this.#unwatch();
    try {
      this.#watcher = watch(this.#path, () => this.#disturb());
      this.#watcher.on("error", (error) => {
        this.#unwatch();
        this.#options.onTrouble?.(error);
      });
    } catch (error) {
      this.#options.onTrouble?.(error);
    }
    this.#watchedIdentity = identityOf(seen); // also when it failed: to be told once is enough
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#watchedIdentity = undefined;
  }

  #disturb(): void {
    this.#disturbed = true;
    this.#wake();
  }

  async #disturbance(): Promise<void> {
    if (!this.#disturbed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#disturbed = false;
  }
}

/** A directory that was removed and made again is another one, even if it got the same inode. */
function identityOf(seen: BigIntStats): string {
  return `${seen.dev}:${seen.ino}:${seen.birthtimeNs}`;
}
