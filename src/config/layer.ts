import type { OptionValue } from "./option.ts";
import {
  type Config,
  type RuntimeHandler,
  rows,
  type SectionName,
  sectionOf,
  sections,
  type Workload,
} from "./table.ts";

/** Where a value comes from. */
export type Source =
  | { readonly is: "default" }
  | { readonly is: "file"; readonly file: string; readonly line: number | undefined }
  | { readonly is: "env"; readonly name: string }
  | { readonly is: "flag"; readonly flag: string };

/** A value and where it comes from. */
export interface Setting<V> {
  readonly value: V;
  readonly source: Source;
}

/** What one file, the environment, the command line or the defaults say: the settings by path, and the named tables. */
export interface Layer {
  readonly settings: ReadonlyMap<string, Setting<OptionValue>>;
  readonly handlers: ReadonlyMap<string, Setting<RuntimeHandler>>;
  readonly workloads: ReadonlyMap<string, Setting<Workload>>;
}

/** A sentence about the configuration for the log; it waits until the configuration has said how to log. */
export interface Note {
  readonly level: "info" | "warn";
  readonly message: string;
  readonly fields: Readonly<Record<string, string | number | undefined>>;
}

/** The table of defaults as a layer. */
export function tableDefaults(): Layer {
  const source: Source = { is: "default" };
  return {
    settings: new Map(rows.map(({ path, option }) => [path, { value: option.default, source }])),
    handlers: new Map(),
    workloads: new Map(),
  };
}

/**
 * `above` laid over `below`: later values replace earlier ones, lists included, but for the options whose row says otherwise
 * (`storage_option` of a file is joined to what was there; an empty `root` keeps it). A handler or workload that is defined
 * again is replaced as a whole; the others stay.
 */
export function mergeLayers(below: Layer, above: Layer): Layer {
  const settings = new Map(below.settings);
  for (const { path, option } of rows) {
    const setting = above.settings.get(path);
    if (setting === undefined) continue;
    if (option.merge === "keep-when-empty" && setting.value === "") continue;
    const before = below.settings.get(path)?.value;
    const joins = option.merge === "append" && setting.source.is === "file";
    settings.set(path, joins ? { ...setting, value: joined(before, setting.value) } : setting);
  }
  return {
    settings,
    handlers: new Map([...below.handlers, ...above.handlers]),
    workloads: new Map([...below.workloads, ...above.workloads]),
  };
}

/** The configuration that a layer holds; the layer must have a value for every option, as one laid over the defaults has. */
export function configOf(layer: Layer): Config {
  const section = <Name extends SectionName>(name: Name): Config[Name] => {
    const { table, options } = sections[name];
    const values = sectionOf(options, (key, option) => {
      const path = table === undefined ? `--${option.flag}` : `${table}.${key}`;
      return layer.settings.get(path)?.value ?? option.default;
    });
    return values as unknown as Config[Name]; // sections[name].options is what Config[Name] is derived from
  };
  return {
    crio: section("crio"),
    api: section("api"),
    runtime: section("runtime"),
    runtimes: valuesOf(layer.handlers),
    workloads: valuesOf(layer.workloads),
    checkpointRestore: section("checkpointRestore"),
    image: section("image"),
    network: section("network"),
    metrics: section("metrics"),
    tracing: section("tracing"),
    nri: section("nri"),
    nriValidator: section("nriValidator"),
    stats: section("stats"),
    invocation: section("invocation"),
  };
}

/** A source for people: `/etc/crio/crio.conf, line 12`, `--log-level`, `$CONTAINER_LOG_LEVEL`. */
export function sourceText(source: Source): string {
  switch (source.is) {
    case "default":
      return "default";
    case "file":
      return source.line === undefined ? source.file : `${source.file}, line ${source.line}`;
    case "env":
      return `$${source.name}`;
    case "flag":
      return `--${source.flag}`;
  }
}

function valuesOf<V>(settings: ReadonlyMap<string, Setting<V>>): ReadonlyMap<string, V> {
  return new Map([...settings].map(([name, { value }]) => [name, value]));
}

function joined(before: OptionValue | undefined, after: OptionValue): readonly string[] {
  const all = [...listOf(before), ...listOf(after)];
  return all.filter((item, at) => all.lastIndexOf(item) === at);
}

function listOf(value: OptionValue | undefined): readonly string[] {
  return Array.isArray(value) ? value : [];
}
