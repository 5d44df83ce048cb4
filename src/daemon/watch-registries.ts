import { type FSWatcher, watch } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, type Logger, reasonOf } from "../base/index.ts";

/** Files are written in several steps; the last one counts. */
const settleMs = 200;
/** The kernel drops events without a word, and a directory may come later than the daemon. */
const lookEveryMs = 5_000;

export interface RegistriesWatch {
  /** Drop-in directories; of their files those that end in `.conf` count. */
  readonly directories: readonly string[];
  /** Reads the registries again. Rejects when they cannot be used; the old ones are in force then. */
  reload(): Promise<void>;
  readonly log: Logger;
}

/**
 * Reads the registries again when a drop-in of theirs is written, made or removed (`auto_reload_registries`). Disposing ends that, and waits for
 * a reload under way.
 */
export function watchRegistries({ directories, reload, log }: RegistriesWatch): AsyncDisposable {
  const ending = new AbortController();
  const watchers = new Map<string, FSWatcher>();
  let seen: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  let going = Promise.resolve();

  const soon = () => {
    clearTimeout(timer);
    if (!ending.signal.aborted) timer = setTimeout(look, settleMs).unref();
  };
  const look = () => {
    going = going.then(async () => {
      for (const directory of directories) openWatch(directory);
      const now = await identityOf(directories);
      if (now === seen || ending.signal.aborted) return;
      const isFirst = seen === undefined;
      seen = now;
      if (isFirst) return;
      try {
        await reload();
        log.info("Applied new registry configuration", { directories: directories.join(", ") });
      } catch (error) {
        log.error(`system registries reload failed: ${reasonOf(error)}; the old ones stay in force`);
      }
    });
  };
  const openWatch = (directory: string) => {
    if (watchers.has(directory) || ending.signal.aborted) return;
    const close = () => {
      watchers.get(directory)?.close();
      watchers.delete(directory);
    };
    try {
      const watcher = watch(directory, { persistent: false }, (event, name) => {
        if (event === "rename" && name === null) close();
        soon();
      });
      watcher.on("error", close);
      watchers.set(directory, watcher);
    } catch (error) {
      if (errnoOf(error) !== "ENOENT")
        log.debug("a directory is looked at now and then only", { directory, error: reasonOf(error) });
    }
  };

  const interval = setInterval(look, lookEveryMs).unref();
  look();
  return {
    async [Symbol.asyncDispose]() {
      ending.abort();
      clearInterval(interval);
      clearTimeout(timer);
      for (const watcher of watchers.values()) watcher.close();
      await going;
    },
  };
}

/** Changes with the names, contents and modes of the drop-ins, also by way of links. */
async function identityOf(directories: readonly string[]): Promise<string> {
  const parts: string[] = [];
  for (const directory of directories) {
    const names = await readdir(directory).catch(() => []);
    for (const name of names.filter((each) => each.endsWith(".conf")).sort()) {
      const path = join(directory, name);
      const found = await stat(path, { bigint: true }).catch(() => undefined);
      parts.push([path, found?.dev, found?.ino, found?.size, found?.mtimeNs, found?.ctimeNs].join(" "));
    }
  }
  return parts.join("\n");
}
