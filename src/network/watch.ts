import { type FSWatcher, watch } from "node:fs";
import { type Logger, reasonOf } from "../base/index.ts";

export interface DirectoryChangesOptions {
  readonly directories: readonly string[];
  /** Called after changes, and at every rescan. Must not throw. */
  readonly onChange: () => void;
  readonly log: Logger;
  /** The kernel drops notifications silently when its queue is full, and a directory may be replaced: we look ourselves, too. */
  readonly rescanMs?: number;
  /** An installer writes a file in many steps: wait until it is quiet for so long. */
  readonly settleMs?: number;
}

/** Tells when something in directories changes. Missing notifications delay it to the next rescan. */
export class DirectoryChanges {
  readonly #options: DirectoryChangesOptions;
  #watchers: FSWatcher[] = [];
  #rescan: NodeJS.Timeout | undefined;
  #settling: NodeJS.Timeout | undefined;

  constructor(options: DirectoryChangesOptions) {
    this.#options = options;
  }

  start(): void {
    const { directories, onChange, log, rescanMs = 10_000 } = this.#options;
    this.#rescan = setInterval(onChange, rescanMs).unref();
    this.#watchers = directories.flatMap((directory) => {
      const trouble = (error: unknown) => {
        log.warn("directory cannot be watched, it is looked at from time to time", {
          directory,
          reason: reasonOf(error),
        });
      };
      try {
        const watcher = watch(directory, { persistent: false }, () => this.#changed());
        return [watcher.on("error", trouble)];
      } catch (error) {
        trouble(error);
        return [];
      }
    });
  }

  stop(): void {
    clearInterval(this.#rescan);
    clearTimeout(this.#settling);
    for (const watcher of this.#watchers.splice(0)) watcher.close();
  }

  #changed(): void {
    clearTimeout(this.#settling);
    this.#settling = setTimeout(this.#options.onChange, this.#options.settleMs ?? 50).unref();
  }
}
