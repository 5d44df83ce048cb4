import { Fault, reasonOf } from "../base/index.ts";
import { throwAll } from "./all-faults.ts";
import { decodeValue, isTable, tomlTypeOf } from "./decode-value.ts";
import type { Layer, Note, Setting, Source } from "./layer.ts";
import type { OptionValue, Section } from "./option.ts";
import { suggestion } from "./suggest.ts";
import {
  handlerOptions,
  type RuntimeHandler,
  resourceOptions,
  rows,
  sectionOf,
  sections,
  type Workload,
  workloadOptions,
} from "./table.ts";
import { parseToml } from "./toml.ts";
import { tomlLines } from "./toml-lines.ts";

/** What a configuration file says, and what is to be said about the file. */
export interface DecodedFile {
  readonly layer: Layer;
  readonly notes: readonly Note[];
}

/**
 * Decodes one file in the format of crio.conf. Keys are matched exactly first, then without regard to case, as CRI-O does.
 * Unknown keys are left out with a note that names file, line and the key that was probably meant.
 * Throws `Fault("invalid")` with file, line and key for broken TOML, and for all values of the wrong type: one Fault, or one with an
 * AggregateError of all as its cause.
 */
export function decodeConfigFile(text: string, file: string): DecodedFile {
  return new FileDecoder(text, file).decode();
}

type Table = Readonly<Record<string, unknown>>;
type Path = readonly string[];

class FileDecoder {
  readonly #text: string;
  readonly #file: string;
  readonly #settings = new Map<string, Setting<OptionValue>>();
  readonly #handlers = new Map<string, Setting<RuntimeHandler>>();
  readonly #workloads = new Map<string, Setting<Workload>>();
  readonly #notes: Note[] = [];
  readonly #faults: Fault[] = [];
  #lineOf: ((path: Path) => number | undefined) | undefined;

  constructor(text: string, file: string) {
    this.#text = text;
    this.#file = file;
  }

  decode(): DecodedFile {
    this.#table([], this.#parse(), {}, new Map([["crio", (path, table) => this.#crio(path, table)]]));
    throwAll(this.#faults);
    return {
      layer: { settings: this.#settings, handlers: this.#handlers, workloads: this.#workloads },
      notes: this.#notes.sort((a, b) => Number(a.fields.line) - Number(b.fields.line)),
    };
  }

  #parse(): Table {
    try {
      return parseToml(this.#text, this.#file);
    } catch (error) {
      throw new Fault("invalid", `unable to decode configuration ${reasonOf(error)}`, { cause: error });
    }
  }

  #crio(path: Path, table: Table): void {
    this.#table(
      path,
      table,
      sections.crio.options,
      new Map<string, Visit>([
        ["api", this.#section(sections.api.options)],
        ["runtime", (at, inner) => this.#runtime(at, inner)],
        ["checkpoint_restore", this.#section(sections.checkpointRestore.options)],
        ["image", this.#section(sections.image.options)],
        ["network", this.#section(sections.network.options)],
        ["metrics", this.#section(sections.metrics.options)],
        ["tracing", this.#section(sections.tracing.options)],
        ["nri", (at, inner) => this.#nri(at, inner)],
        ["stats", this.#section(sections.stats.options)],
      ]),
    );
  }

  #section(options: Section): Visit {
    return (path, table) => this.#table(path, table, options, noTables);
  }

  #runtime(path: Path, table: Table): void {
    this.#table(
      path,
      table,
      sections.runtime.options,
      new Map<string, Visit>([
        ["runtimes", (at, named) => this.#each(at, named, (...entry) => this.#handler(...entry))],
        ["workloads", (at, named) => this.#each(at, named, (...entry) => this.#workload(...entry))],
      ]),
    );
  }

  #nri(path: Path, table: Table): void {
    const validator = this.#section(sections.nriValidator.options);
    this.#table(path, table, sections.nri.options, new Map([["default_validator", validator]]));
  }

  #handler(name: string, path: Path, table: Table): void {
    const values = this.#values(path, table, handlerOptions, new Map());
    const handler = sectionOf(handlerOptions, (key, option) => values.get(key) ?? option.default);
    this.#handlers.set(name, { value: handler, source: this.#source(path) });
  }

  #workload(name: string, path: Path, table: Table): void {
    let resources: Workload["resources"];
    const takeResources: Visit = (at, inner) => {
      const found = this.#values(at, inner, resourceOptions, noTables);
      resources = sectionOf(resourceOptions, (key, option) => found.get(key) ?? option.default);
    };
    const values = this.#values(path, table, workloadOptions, new Map([["resources", takeResources]]));
    const workload = sectionOf(workloadOptions, (key, option) => values.get(key) ?? option.default);
    this.#workloads.set(name, { value: { ...workload, resources }, source: this.#source(path) });
  }

  /** Takes the settings of a table whose keys are options of the table of options, and visits the tables in it. */
  #table(path: Path, table: Table, options: Section, tables: ReadonlyMap<string, Visit>): void {
    for (const [key, value] of this.#values(path, table, options, tables)) {
      const spelled = Object.hasOwn(table, key) ? key : spellingOf(table, key);
      this.#settings.set([...canonical(path), key].join("."), { value, source: this.#source([...path, spelled]) });
    }
  }

  /** The values of a table by the keys of `options`. */
  #values(path: Path, table: Table, options: Section, tables: ReadonlyMap<string, Visit>): Map<string, OptionValue> {
    const values = new Map<string, OptionValue>();
    const known = [...Object.keys(options), ...tables.keys()];
    for (const [spelled, raw] of exactLast(table, known)) {
      const key = matching(spelled, known);
      const at = [...path, spelled];
      const option = key === undefined ? undefined : options[key];
      const visit = key === undefined ? undefined : tables.get(key);
      if (key !== undefined && option !== undefined)
        this.#value(at, option.kind, raw, (value) => values.set(key, value));
      else if (visit !== undefined) this.#visit(at, raw, visit);
      else this.#noteUnknown(at, spelled, known);
    }
    return values;
  }

  #each(path: Path, table: Table, visit: (name: string, path: Path, table: Table) => void): void {
    for (const [name, raw] of Object.entries(table)) {
      this.#visit([...path, name], raw, (at, inner) => visit(name, at, inner));
    }
  }

  /** What is of the wrong type is noted and left out: whoever mends the file wants to know all of it at once. */
  #value(path: Path, kind: Parameters<typeof decodeValue>[0], raw: unknown, take: (value: OptionValue) => void): void {
    let value: OptionValue;
    try {
      value = decodeValue(kind, raw);
    } catch (error) {
      this.#faults.push(this.#fault(path, reasonOf(error)));
      return;
    }
    take(value);
  }

  #visit(path: Path, raw: unknown, visit: Visit): void {
    if (isTable(raw)) visit(path, raw);
    else this.#faults.push(this.#fault(path, `expected a table, found ${tomlTypeOf(raw)}`));
  }

  #noteUnknown(path: Path, spelled: string, known: readonly string[]): void {
    const elsewhere = rows.find(({ key, section }) => key === spelled && section !== "invocation")?.path;
    this.#notes.push({
      level: "warn",
      message: "unknown configuration key is ignored",
      fields: {
        key: path.join("."),
        file: this.#file,
        line: this.#line(path),
        "did you mean": suggestion(spelled, known) ?? elsewhere,
      },
    });
  }

  #fault(path: Path, reason: string): Fault {
    const line = this.#line(path);
    const where = line === undefined ? "" : ` line ${line}:`;
    return new Fault("invalid", `unable to decode configuration ${this.#file}:${where} ${path.join(".")}: ${reason}`);
  }

  #source(path: Path): Source {
    return { is: "file", file: this.#file, line: this.#line(path) };
  }

  #line(path: Path): number | undefined {
    this.#lineOf ??= tomlLines(this.#text);
    return this.#lineOf(path);
  }
}

type Visit = (path: Path, table: Table) => void;

const noTables: ReadonlyMap<string, Visit> = new Map();

/** Exactly, or else without regard to case. */
function matching(spelled: string, known: readonly string[]): string | undefined {
  return known.includes(spelled) ? spelled : known.find((key) => key.toLowerCase() === spelled.toLowerCase());
}

/** The entries of a table, the exactly spelled keys behind the others so that they win. */
function exactLast(table: Table, known: readonly string[]): readonly (readonly [string, unknown])[] {
  const entries = Object.entries(table);
  const isExact = ([spelled]: readonly [string, unknown]) => known.includes(spelled);
  return [...entries.filter((entry) => !isExact(entry)), ...entries.filter(isExact)];
}

function spellingOf(table: Table, key: string): string {
  return Object.keys(table).find((spelled) => spelled.toLowerCase() === key) ?? key;
}

/** The path of a table as the table of options spells it; single options stand only in tables of fixed names. */
function canonical(path: Path): Path {
  return path.map((part) => part.toLowerCase());
}
