import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, Fault, reasonOf } from "../base/index.ts";
import { readBounded } from "../host/index.ts";
import {
  mergeRegistriesConf,
  parseRegistriesConf,
  type RegistriesConfig,
  type RegistriesConfPart,
} from "./registries-conf.ts";

const maxFileBytes = 1024 * 1024;

export interface RegistriesConfFiles {
  /** The main file; one that is missing counts as empty unless `required`. */
  readonly path: string;
  readonly required?: boolean;
  /** `*.conf` of each, in order of name; a later directory wins over an earlier one. Missing ones are passed over. */
  readonly dropInDirs: readonly string[];
  /** The cache of aliases confirmed by people (`short-name-aliases.conf`), before all others. */
  readonly aliasFile?: string;
}

/**
 * Reads registries.conf and its drop-ins (containers-registries.conf(5), version 2).
 * Rejects with a Fault that names the file and the key at fault.
 */
export async function loadRegistriesConf(files: RegistriesConfFiles): Promise<RegistriesConfig> {
  const dropIns = (await Promise.all(files.dropInDirs.map(dropInsOf))).flat();
  const optional = [...dropIns, ...(files.aliasFile === undefined ? [] : [files.aliasFile])];
  const parts = await Promise.all([
    readPart(files.path, files.required === true),
    ...optional.map((path) => readPart(path, false)),
  ]);
  return mergeRegistriesConf(parts.filter((part) => part !== undefined));
}

async function dropInsOf(directory: string): Promise<readonly string[]> {
  try {
    const names = await readdir(directory);
    return names
      .filter((name) => name.endsWith(".conf"))
      .sort()
      .map((name) => join(directory, name));
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw new Fault("failed", `listing the registries drop-ins: ${reasonOf(error)}`, { cause: error });
  }
}

async function readPart(path: string, required: boolean): Promise<RegistriesConfPart | undefined> {
  try {
    const bytes = await readBounded(path, maxFileBytes);
    return parseRegistriesConf(bytes.toString("utf8"), path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT" && !required) return undefined;
    if (error instanceof Fault) throw error;
    throw new Fault("failed", `reading the registries configuration ${path}: ${reasonOf(error)}`, { cause: error });
  }
}
