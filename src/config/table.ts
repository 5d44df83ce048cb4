import { fieldOf, type Option, type OptionValue, type Section, type SectionValues } from "./option.ts";
import { apiOptions } from "./options/api.ts";
import { checkpointRestoreOptions } from "./options/checkpoint-restore.ts";
import { crioOptions } from "./options/crio.ts";
import { handlerOptions, type RuntimeHandler } from "./options/handler.ts";
import { imageOptions } from "./options/image.ts";
import { invocationOptions } from "./options/invocation.ts";
import { metricsOptions } from "./options/metrics.ts";
import { networkOptions } from "./options/network.ts";
import { nriOptions, nriValidatorOptions } from "./options/nri.ts";
import { runtimeOptions } from "./options/runtime.ts";
import { statsOptions } from "./options/stats.ts";
import { tracingOptions } from "./options/tracing.ts";
import { resourceOptions, type Workload, workloadOptions } from "./options/workload.ts";

/**
 * The effective configuration. A key of crio.conf is read as `config.<section>.<key in camel case>`, durations with `Ms` behind:
 * `[crio.network] plugin_dirs` is `config.network.pluginDirs`, `[crio.image] pull_progress_timeout` is
 * `config.image.pullProgressTimeoutMs`. The keys of `[crio]` itself are `config.crio`.
 */
export interface Config {
  readonly crio: SectionValues<typeof crioOptions>;
  readonly api: SectionValues<typeof apiOptions>;
  readonly runtime: SectionValues<typeof runtimeOptions>;
  /** `[crio.runtime.runtimes.NAME]` */
  readonly runtimes: ReadonlyMap<string, RuntimeHandler>;
  /** `[crio.runtime.workloads.NAME]` */
  readonly workloads: ReadonlyMap<string, Workload>;
  readonly checkpointRestore: SectionValues<typeof checkpointRestoreOptions>;
  readonly image: SectionValues<typeof imageOptions>;
  readonly network: SectionValues<typeof networkOptions>;
  readonly metrics: SectionValues<typeof metricsOptions>;
  readonly tracing: SectionValues<typeof tracingOptions>;
  readonly nri: SectionValues<typeof nriOptions>;
  /** `[crio.nri.default_validator]` */
  readonly nriValidator: SectionValues<typeof nriValidatorOptions>;
  readonly stats: SectionValues<typeof statsOptions>;
  /** What only the command line says, such as where the configuration files are. */
  readonly invocation: SectionValues<typeof invocationOptions>;
}

/** The sections that hold single options; `runtimes` and `workloads` hold tables. */
export type SectionName = Exclude<keyof Config, "runtimes" | "workloads">;

/** One option and all its names. */
export interface Row {
  readonly section: SectionName;
  readonly key: string;
  /** The full key, `crio.runtime.log_level`; for what has no key in crio.conf the flag, `--log-format`. */
  readonly path: string;
  /** The property in its section of a Config. */
  readonly field: string;
  readonly option: Option;
}

interface SectionPlace {
  /** The table in crio.conf; undefined for what cannot be said there. */
  readonly table: string | undefined;
  readonly options: Section;
}

/** Every section, in the order in which `crio config` prints them. */
export const sections: Readonly<Record<SectionName, SectionPlace>> = {
  crio: { table: "crio", options: crioOptions },
  api: { table: "crio.api", options: apiOptions },
  runtime: { table: "crio.runtime", options: runtimeOptions },
  checkpointRestore: { table: "crio.checkpoint_restore", options: checkpointRestoreOptions },
  image: { table: "crio.image", options: imageOptions },
  network: { table: "crio.network", options: networkOptions },
  metrics: { table: "crio.metrics", options: metricsOptions },
  tracing: { table: "crio.tracing", options: tracingOptions },
  nri: { table: "crio.nri", options: nriOptions },
  nriValidator: { table: "crio.nri.default_validator", options: nriValidatorOptions },
  stats: { table: "crio.stats", options: statsOptions },
  invocation: { table: undefined, options: invocationOptions },
};

/** The keys of the tables that have names of their own. */
export const tableKeys: readonly { readonly table: string; readonly options: Section }[] = [
  { table: "crio.runtime.runtimes.NAME", options: handlerOptions },
  { table: "crio.runtime.workloads.NAME", options: workloadOptions },
  { table: "crio.runtime.workloads.NAME.resources", options: resourceOptions },
];

export const sectionNames = Object.keys(sections) as readonly SectionName[]; // the keys of a Record over SectionName

/** The option table: every option of crio.conf and of the command line. */
export const rows: readonly Row[] = sectionNames.flatMap((section) => rowsOf(section));

/** The option with this full key. Throws when there is none: the paths in this program are its own. */
export function rowAt(path: string): Row {
  const row = rows.find((candidate) => candidate.path === path);
  if (row === undefined) throw new TypeError(`no option ${path}`);
  return row;
}

/** The rows of one section. */
export function rowsOf(section: SectionName): readonly Row[] {
  const { table, options } = sections[section];
  return Object.entries(options).map(([key, option]) => ({
    section,
    key,
    path: table === undefined ? `--${option.flag}` : `${table}.${key}`,
    field: fieldOf(key, option.kind),
    option,
  }));
}

/** An option's value in a configuration. */
export function valueAt(config: Config, row: Row): OptionValue {
  const values: Readonly<Record<string, OptionValue>> = config[row.section];
  const value = values[row.field];
  if (value === undefined) throw new TypeError(`no value of ${row.path}`);
  return value;
}

/** The values of a section from whatever knows them, under their names in a Config. */
export function sectionOf<S extends Section>(
  options: S,
  valueFor: (key: string, option: Option) => OptionValue,
): SectionValues<S> {
  const entries = Object.entries(options).map(([key, option]) => [fieldOf(key, option.kind), valueFor(key, option)]);
  return Object.fromEntries(entries) as SectionValues<S>; // the same rule names the fields in the type and in fieldOf
}

/** Equal in every respect that `crio config` would print. */
export function sameValue(a: OptionValue | undefined, b: OptionValue | undefined): boolean {
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, at) => item === b[at]);
  if (a instanceof Map && b instanceof Map) {
    return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
  }
  return a === b;
}

/** A handler's table as it is when it sets nothing. */
export function emptyHandler(): RuntimeHandler {
  return sectionOf(handlerOptions, (_key, option) => option.default);
}

export type { RuntimeHandler, Workload };
export { handlerOptions, resourceOptions, workloadOptions };
