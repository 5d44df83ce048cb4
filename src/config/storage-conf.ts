import { Fault } from "../base/index.ts";
import { decodeValue, isTable, tomlTypeOf } from "./decode-value.ts";
import { readTextFile } from "./files.ts";
import type { Environment } from "./flags.ts";
import type { Kind, OptionValue } from "./option.ts";
import { parseToml } from "./toml.ts";

/** What storage.conf and its environment variables say; undefined where they say nothing. */
export interface StorageDefaults {
  /** The file that was read, if any. */
  readonly file: string | undefined;
  readonly graphRoot: string | undefined;
  readonly runRoot: string | undefined;
  readonly imageStore: string | undefined;
  readonly driver: string | undefined;
  /** `driver.key=value` */
  readonly driverOptions: readonly string[] | undefined;
}

/**
 * Reads the defaults of containers/storage: `$CONTAINERS_STORAGE_CONF` alone when set, else the first of
 * `$XDG_CONFIG_HOME/containers/storage.conf`, `/etc/containers/storage.conf` and `/usr/share/containers/storage.conf`; then
 * `$STORAGE_DRIVER` and `$STORAGE_OPTS`. Rejects with a Fault for a file that cannot be read or decoded.
 */
export async function readStorageDefaults(env: Environment): Promise<StorageDefaults> {
  for (const file of candidates(env)) {
    const text = await readTextFile(file);
    if (text !== undefined) return storageDefaultsOf(text, file, env);
  }
  return storageDefaultsOf("", undefined, env);
}

/** Decodes a storage.conf. Keys that are none of CRI-O's business are left to others. */
export function storageDefaultsOf(text: string, file: string | undefined, env: Environment): StorageDefaults {
  const tree = parseToml(text, file ?? "storage.conf");
  const read = reader(tree, file ?? "storage.conf");
  const given = nonEmpty(env.STORAGE_DRIVER) ?? nonEmpty(read.text("storage", "driver"));
  const driver = given === "overlay2" ? "overlay" : given;
  const optionsText = env.STORAGE_OPTS;
  const fromFile = driverOptions(read, driver ?? "overlay");
  const options = optionsText === undefined ? fromFile : optionsText.split(",").filter((option) => option !== "");
  return {
    file,
    graphRoot: expanded(read.text("storage", "graphroot"), env),
    runRoot: expanded(read.text("storage", "runroot"), env),
    imageStore: expanded(read.text("storage", "imagestore"), env),
    driver,
    driverOptions: options.length === 0 && optionsText === undefined ? undefined : options,
  };
}

function candidates(env: Environment): readonly string[] {
  if (env.CONTAINERS_STORAGE_CONF !== undefined) return [env.CONTAINERS_STORAGE_CONF];
  const home = nonEmpty(env.XDG_CONFIG_HOME);
  return [
    ...(home === undefined ? [] : [`${home}/containers/storage.conf`]),
    "/etc/containers/storage.conf",
    "/usr/share/containers/storage.conf",
  ];
}

/** The options that may stand in `[storage.options]` for every driver, or in the table of a driver, which counts more. */
const commonKeys = [
  "ignore_chown_errors",
  "mount_program",
  "mountopt",
  "size",
  "skip_mount_home",
  "force_mask",
] as const;

/** The options that stand in the table of a driver only. */
const driverKeys: Readonly<Record<string, readonly string[]>> = {
  overlay: ["inodes", "use_composefs"],
  btrfs: ["min_space"],
  zfs: ["fsname"],
};

function driverOptions(read: Reader, driver: string): readonly string[] {
  const options: string[] = [];
  const add = (key: string, value: string | undefined) => {
    if (value !== undefined && value !== "") options.push(`${driver}.${key}=${value}`);
  };
  for (const path of read.list("storage", "options", "additionalimagestores")) add("imagestore", path);
  for (const path of read.list("storage", "options", "additionallayerstores")) add("additionallayerstore", path);
  for (const key of commonKeys) {
    add(key, nonEmpty(read.text("storage", "options", driver, key)) ?? read.text("storage", "options", key));
  }
  const more = Object.hasOwn(driverKeys, driver) ? (driverKeys[driver] ?? []) : [];
  for (const key of more) add(key, read.text("storage", "options", driver, key));
  return options;
}

interface Reader {
  text(...path: readonly string[]): string | undefined;
  list(...path: readonly string[]): readonly string[];
}

function reader(tree: unknown, file: string): Reader {
  const read = (kind: Kind, path: readonly string[]): OptionValue | undefined => {
    let at: unknown = tree;
    for (const [depth, key] of path.entries()) {
      if (!isTable(at)) throw wrong(file, path.slice(0, depth), `expected a table, found ${tomlTypeOf(at)}`);
      if (!Object.hasOwn(at, key)) return undefined;
      at = at[key];
    }
    try {
      return decodeValue(kind, kind === "text" ? looseText(at) : at);
    } catch (error) {
      throw wrong(file, path, (error as Fault).message); // decodeValue throws nothing else
    }
  };
  return {
    text: (...path) => read("text", path) as string | undefined, // what decodeValue gives for "text"
    list: (...path) => (read("list", path) as readonly string[] | undefined) ?? [], // and for "list"
  };
}

/** containers/storage keeps switches and numbers as strings; people write them bare. */
function looseText(raw: unknown): unknown {
  return typeof raw === "boolean" || typeof raw === "bigint" ? String(raw) : raw;
}

function wrong(file: string, path: readonly string[], reason: string): Fault {
  return new Fault("invalid", `unable to decode storage configuration ${file}: ${path.join(".")}: ${reason}`);
}

/** `$NAME` and `${NAME}` replaced from the environment, as containers/storage does for its two roots. */
function expanded(text: string | undefined, env: Environment): string | undefined {
  const result = text?.replace(/\$(?:\{(\w+)\}|(\w+))/g, (_all, braced, bare) => env[braced ?? bare] ?? "");
  return nonEmpty(result);
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}
