import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Logger, reasonOf } from "../base/index.ts";
import { registriesFiles } from "./images.ts";
import type { Live } from "./live.ts";

/** A look costs a few system calls; it also sees a directory that comes later, and one on a file system that notifies nobody. */
const defaultLooksMs = 1_000;

export interface RegistriesWatchOptions {
  readonly log: Logger;
  readonly looksMs?: number;
}

/**
 * Reads the registries configuration again when a `*.conf` file in one of its drop-in directories has come, gone or changed
 * (`auto_reload_registries`, reference: config.md 6). What cannot be read leaves the one in force as it is, and the log says why.
 */
export function reloadRegistriesOnChange(
  live: Live,
  { log, looksMs = defaultLooksMs }: RegistriesWatchOptions,
): AsyncDisposable {
  let known: string | undefined;
  let going = Promise.resolve();
  let looking = false;
  const look = async () => {
    const { dropInDirs } = await registriesFiles(live.current.config);
    const now = (await Promise.all(dropInDirs.map(fingerprint))).join("\n");
    const before = known;
    known = now;
    if (before === undefined || before === now) return;
    try {
      await live.reloadRegistries();
      log.info("Applied new registry configuration", { directories: dropInDirs });
    } catch (error) {
      log.error(`system registries reload failed: ${reasonOf(error)}; nothing has changed`);
    }
  };
  const tick = () => {
    if (looking) return;
    looking = true;
    going = look()
      .catch((error: unknown) => log.error(`looking for changed registries failed: ${reasonOf(error)}`))
      .finally(() => {
        looking = false;
      });
  };
  tick();
  const timer = setInterval(tick, looksMs);
  timer.unref();
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await going;
    },
  };
}

/** The names of the files that count, with what changes when they do; empty for a directory that is not there. */
async function fingerprint(directory: string): Promise<string> {
  const names = await readdir(directory).catch((): string[] => []);
  const lines = names
    .filter((name) => name.endsWith(".conf"))
    .toSorted()
    .map(async (name) => {
      const found = await stat(join(directory, name), { bigint: true }).catch(() => undefined);
      return `${name} ${found?.ino} ${found?.size} ${found?.mtimeNs} ${found?.ctimeNs}`;
    });
  return (await Promise.all(lines)).join("\n");
}
