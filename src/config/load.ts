import { Fault, isFault, withStep } from "../base/index.ts";
import { throwAll } from "./all-faults.ts";
import { completeConfig } from "./complete.ts";
import { decodeConfigFile } from "./decode-file.ts";
import { defaultLayer } from "./defaults.ts";
import { filesBelow, readTextFile } from "./files.ts";
import { type Environment, type GivenFlags, layerOfFlags } from "./flags.ts";
import { configOf, type Layer, mergeLayers, type Note, type Setting, type Source, sourceText } from "./layer.ts";
import { fieldOf, type Option, type OptionValue } from "./option.ts";
import { type Config, handlerOptions, rows, sameValue } from "./table.ts";

/** A configuration ready for use, and how it came about. */
export interface LoadedConfig {
  /** Merged and completed. Whether it makes sense is for `validateConfig` to say. */
  readonly config: Config;
  /** What it would be without files, environment and flags. */
  readonly defaults: Config;
  /** Where each option's value comes from, by path; handlers and workloads by the path of their table. */
  readonly sources: ReadonlyMap<string, Source>;
  /** The files that were read, in their order. */
  readonly files: readonly string[];
  /** What is to be logged once the configured logger is there. */
  readonly notes: readonly Note[];
}

/**
 * Loads the configuration: defaults, main file, drop-in files, environment, flags, each replacing what was before
 * (see `mergeLayers`). Rejects with a Fault that names file, line and key, or the flag or variable.
 */
export async function loadConfig(from: {
  readonly flags: GivenFlags;
  readonly env: Environment;
}): Promise<LoadedConfig> {
  const flags = layerOfFlags(from.flags, from.env);
  const base = await defaultLayer(from.env);
  const broken: Fault[] = [];
  const main = await readMainFile(settingIn(flags, base, "--config")).catch(collectIn(broken));
  const dropIns = await readDropIns(settingIn(flags, base, "--config-dir")).catch(collectIn(broken));
  throwAll(broken);
  const layers = [base, ...main.layers, ...dropIns.layers, flags];
  const merged = layers.reduce(mergeLayers);
  const { config, notes } = completeConfig(configOf(merged));
  return {
    config,
    defaults: completeConfig(configOf(base)).config,
    sources: sourcesOf(merged),
    files: [...main.files, ...dropIns.files],
    notes: [
      ...main.notes,
      ...dropIns.notes,
      ...flags.notes,
      ...deprecationNotes(merged),
      ...notYetNotes(merged),
      ...notes,
    ],
  };
}

interface ReadFiles {
  readonly layers: readonly Layer[];
  readonly files: readonly string[];
  readonly notes: readonly Note[];
}

const nothingRead: ReadFiles = { layers: [], files: [], notes: [] };

/** A file that was named must be there; the default one need not. */
async function readMainFile({ value, source }: Setting<string>): Promise<ReadFiles> {
  if (value === "") return nothingRead;
  try {
    const read = await readFiles([value]);
    if (read.files.length > 0) return read;
  } catch (error) {
    throw withStep("update config from file", error);
  }
  if (source.is !== "default") {
    throw new Fault("not-found", `update config from file: ${value} does not exist (named by ${sourceText(source)})`);
  }
  return { ...nothingRead, notes: [{ level: "info", message: "no configuration file", fields: { file: value } }] };
}

async function readDropIns({ value }: Setting<string>): Promise<ReadFiles> {
  try {
    return await readFiles(await filesBelow(value));
  } catch (error) {
    throw withStep("update config from path", error);
  }
}

async function readFiles(paths: readonly string[]): Promise<ReadFiles> {
  const read = { layers: [] as Layer[], files: [] as string[], notes: [] as Note[] };
  const broken: Fault[] = [];
  for (const path of paths) {
    try {
      const text = await readTextFile(path);
      if (text === undefined) {
        read.notes.push({ level: "warn", message: "configuration file leads nowhere", fields: { file: path } });
        continue;
      }
      const { layer, notes } = decodeConfigFile(text, path);
      read.layers.push(layer);
      read.files.push(path);
      read.notes.push({ level: "info", message: "configuration file read", fields: { file: path } }, ...notes);
    } catch (error) {
      collectIn(broken)(error);
    }
  }
  throwAll(broken);
  return read;
}

/** Keeps a Fault for later, since the other files may have theirs; anything else is thrown on. */
function collectIn(faults: Fault[]): (error: unknown) => ReadFiles {
  return (error) => {
    if (!isFault(error)) throw error;
    faults.push(error);
    return nothingRead;
  };
}

function settingIn(flags: Layer, base: Layer, path: string): Setting<string> {
  const { value, source } = flags.settings.get(path) ?? base.settings.get(path) ?? { value: "", source: defaultSource };
  return { value: String(value), source };
}

const defaultSource: Source = { is: "default" };

function sourcesOf(layer: Layer): ReadonlyMap<string, Source> {
  const sources = new Map<string, Source>();
  for (const [path, { source }] of layer.settings) sources.set(path, source);
  for (const [name, { source }] of layer.handlers) sources.set(`crio.runtime.runtimes.${name}`, source);
  for (const [name, { source }] of layer.workloads) sources.set(`crio.runtime.workloads.${name}`, source);
  return sources;
}

/** A deprecated option that is set to something else than its default is worth a line; `crio config --default` is not. */
function deprecationNotes(layer: Layer): readonly Note[] {
  return rows.flatMap(({ path, option }) => {
    const setting: Setting<OptionValue> | undefined = layer.settings.get(path);
    if (option.deprecated === undefined || setting === undefined || setting.source.is === "default") return [];
    if (sameValue(setting.value, option.default)) return [];
    const fields = { key: path, instead: option.deprecated, where: sourceText(setting.source) };
    return [{ level: "warn", message: "configuration key is deprecated", fields } as const];
  });
}

/** What was set and is not built yet is said, not passed over. */
function notYetNotes(layer: Layer): readonly Note[] {
  const notes: Note[] = [];
  const say = (key: string, missing: string, source: Source) => {
    const fields = { key, missing, where: sourceText(source) };
    notes.push({ level: "warn", message: "configuration key has no effect yet", fields });
  };
  for (const { path, option } of rows) {
    const setting = layer.settings.get(path);
    if (setting === undefined || option.notYet === undefined || sameValue(setting.value, option.default)) continue;
    say(path, option.notYet, setting.source);
  }
  for (const [name, { value, source }] of layer.handlers) {
    const values: ReadonlyMap<string, OptionValue> = new Map(Object.entries(value));
    for (const [key, option] of Object.entries<Option>(handlerOptions)) {
      if (option.notYet === undefined || sameValue(values.get(fieldOf(key, option.kind)), option.default)) continue;
      say(`crio.runtime.runtimes.${name}.${key}`, option.notYet, source);
    }
  }
  return notes;
}
