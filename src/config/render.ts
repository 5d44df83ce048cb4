import type { Option, OptionValue, Section } from "./option.ts";
import {
  type Config,
  handlerOptions,
  resourceOptions,
  rowsOf,
  type SectionName,
  sameValue,
  sectionNames,
  sections,
  valueAt,
  workloadOptions,
} from "./table.ts";
import { assignment, keyText, tableText } from "./toml-text.ts";

/** How `crio config` prints. */
export interface RenderOptions {
  /** What is printed as a comment because it is so anyway. */
  readonly defaults: Config;
  /** Whether defaults are printed as settings too (`--default`). */
  readonly all?: boolean;
}

/** The commented template of crio.conf: every option with its documentation, the ones that have their default behind `# `. */
export function renderConfig(config: Config, options: RenderOptions): string {
  const parts = [header, ...sectionNames.flatMap((section) => renderSection(config, section, options))];
  return `${parts.join("\n").trimEnd()}\n`;
}

/** The same settings without a word of comment: what `/config` answers and the start logs. */
export function configToml(config: Config): string {
  const lines: string[] = [];
  for (const section of sectionNames) {
    const { table } = sections[section];
    if (table === undefined) continue;
    lines.push(`[${table}]`);
    for (const row of rowsOf(section)) lines.push(assignment(row.key, row.option.kind, valueAt(config, row)));
    lines.push("");
    if (section === "runtime") lines.push(...handlerTables(config), ...workloadTables(config));
  }
  return `${lines.join("\n").trimEnd()}\n`;
}

const header = `# Configuration of CRI-O, the Kubernetes container runtime, in TOML.
#
# An option behind a "#" has its default. This file is /etc/crio/crio.conf; the files below /etc/crio/crio.conf.d are read after
# it in the order of their names, and a later value takes the place of an earlier one. Flags of the command line and environment
# variables count more than any file; "crio --help" lists them. Options marked "reload" take effect when the daemon gets SIGHUP.
`;

function renderSection(config: Config, section: SectionName, options: RenderOptions): readonly string[] {
  const { table } = sections[section];
  if (table === undefined) return [];
  const settings = rowsOf(section).map((row) => {
    const value = valueAt(config, row);
    const isDefault = options.all !== true && sameValue(value, valueAt(options.defaults, row));
    return documented(row.key, row.option, value, isDefault);
  });
  const more = section === "runtime" ? [renderHandlers(config, options), renderWorkloads(config, options)] : [];
  return [`[${table}]\n`, ...settings, ...more];
}

/** A handler's table replaces the one before as a whole, so the tables are printed as a whole or not at all. */
function renderHandlers(config: Config, { defaults, all }: RenderOptions): string {
  const isDefault = all !== true && sameTables(config.runtimes, defaults.runtimes);
  const intro = comment(
    `Ways to run containers, by the name that a RuntimeClass gives as its handler. Each table stands for itself: a table in a
     later file takes the place of the whole table of the same name in an earlier one. These are the keys:`,
  );
  const tables = handlerTables(config).map((table) => (isDefault ? behindHashes(table) : table));
  return [intro, keyDocs(handlerOptions), "", ...tables].join("\n");
}

function renderWorkloads(config: Config, { defaults, all }: RenderOptions): string {
  const isDefault = all !== true && sameTables(config.workloads, defaults.workloads);
  const intro = comment(
    `Workloads, by any name: resources for the containers of pods that carry an annotation. A table
     crio.runtime.workloads.NAME has these keys:`,
  );
  const resources = comment("and its table resources these:");
  const tables = workloadTables(config).map((table) => (isDefault ? behindHashes(table) : table));
  return [intro, keyDocs(workloadOptions), resources, keyDocs(resourceOptions), "", ...tables].join("\n");
}

function handlerTables(config: Config): readonly string[] {
  return [...config.runtimes].map(([name, handler]) =>
    tableText(`crio.runtime.runtimes.${keyText(name)}`, handlerOptions, handler),
  );
}

function workloadTables(config: Config): readonly string[] {
  return [...config.workloads].flatMap(([name, workload]) => {
    const table = `crio.runtime.workloads.${keyText(name)}`;
    const own = tableText(table, workloadOptions, workload);
    if (workload.resources === undefined) return [own];
    return [own, tableText(`${table}.resources`, resourceOptions, workload.resources)];
  });
}

function sameTables<T extends object>(a: ReadonlyMap<string, T>, b: ReadonlyMap<string, T>): boolean {
  return a.size === b.size && [...a].every(([name, values]) => sameFields(values, b.get(name)));
}

function sameFields(a: object, b: object | undefined): boolean {
  if (b === undefined) return false;
  const other: ReadonlyMap<string, unknown> = new Map(Object.entries(b));
  return Object.entries(a).every(([field, value]) => {
    const theirs = other.get(field);
    const isTable = typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Map);
    if (isTable) return typeof theirs === "object" && theirs !== null && sameFields(value, theirs);
    return sameValue(value, theirs as OptionValue | undefined); // fields of tables are option values
  });
}

function documented(key: string, option: Option, value: OptionValue, commented: boolean): string {
  const setting = `${assignment(key, option.kind, value)}\n`;
  return `${comment(docOf(option))}\n${commented ? behindHashes(setting) : setting}`;
}

function keyDocs(options: Section): string {
  return Object.entries(options)
    .map(([key, option]) => comment(`- ${key}: ${docOf(option)}`))
    .join("\n");
}

function docOf(option: Option): string {
  const reload = { live: "(reload)", content: "(reload of the content)", restart: "" }[option.reload ?? "restart"];
  const deprecated = option.deprecated === undefined ? "" : `Deprecated: ${option.deprecated}.`;
  return [option.doc, deprecated, reload].filter((part) => part !== "").join(" ");
}

const commentWidth = 118;

function comment(text: string): string {
  return wrapText(text, commentWidth)
    .map((line) => `# ${line}`)
    .join("\n");
}

/** Breaks text at blanks into lines of at most `width` letters; longer words stay whole. */
export function wrapText(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.trim().split(/\s+/)) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}

function behindHashes(text: string): string {
  return text.replace(/^(?=.)/gm, "# ");
}
