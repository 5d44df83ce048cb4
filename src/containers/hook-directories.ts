import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { Fault, type Logger, reasonOf } from "../base/index.ts";
import { readBounded } from "../host/index.ts";
import { type HookRule, maxHookFileBytes, parseHookFile } from "../spec/index.ts";
import { ParsedFiles } from "./parsed-files.ts";

/**
 * The OCI hooks of the node (reference: annotations-and-features.md 7): `*.json` of some directories, of which a later one replaces files of
 * the same name.
 */
export class HookDirectories {
  readonly #directories: readonly string[];
  readonly #files: ParsedFiles<HookRule>;
  #isStarting = false;

  constructor(directories: readonly string[], log: Logger) {
    this.#directories = directories;
    this.#files = new ParsedFiles({
      accepts: (name) => name.endsWith(".json"),
      read: readRule,
      onTrouble: (file, error) => {
        if (this.#isStarting) throw error;
        log.error("a hook is left out until its file or its program is right", { file, error: reasonOf(error) });
      },
    });
  }

  /** Rejects when a hook cannot be understood, or its program is missing: at the start that stops the daemon. */
  async check(): Promise<void> {
    this.#isStarting = true;
    await this.#files.list(this.#directories);
    this.#isStarting = false;
  }

  /** The hooks as they are now, by the names of their files. One that cannot be understood is logged and left out. */
  async rules(): Promise<readonly HookRule[]> {
    const byName = new Map((await this.#files.list(this.#directories)).map((file) => [file.name, file.value]));
    const sorted = [...byName].sort(([a], [b]) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1));
    return sorted.flatMap(([, rule]) => rule ?? []);
  }
}

async function readRule(path: string): Promise<HookRule> {
  try {
    const rule = parseHookFile(await readBounded(path, maxHookFileBytes));
    await access(rule.hook.path, constants.F_OK).catch((cause: unknown) => {
      throw new Fault("invalid", `its program ${rule.hook.path} cannot be found: ${reasonOf(cause)}`, { cause });
    });
    return rule;
  } catch (error) {
    throw new Fault("invalid", `parsing hook ${JSON.stringify(path)}: ${reasonOf(error)}`, { cause: error });
  }
}
