import { type Logger, reasonOf } from "../../base/index.ts";
import { type JsonRecord, own, withValues } from "./json-records.ts";

export interface Identified {
  readonly id: string;
  readonly names: readonly string[];
}

/** A record, the file it lives in, and what it says; undefined for one that we cannot use but keep. */
export interface Row<T> {
  readonly record: JsonRecord;
  readonly place: number;
  readonly value: T | undefined;
}

/** The records of one kind as they were at some moment. */
export interface RecordView<T> {
  readonly all: readonly T[];
  /** Every id that stands in a record which cannot be understood: its own, and those of what it may need. Nothing of that is to be removed. */
  readonly notUnderstood: ReadonlySet<string>;
  get(id: string): T | undefined;
  /** By exact id, then by name, then by the beginning of an id if only one begins so. */
  find(text: string): T | undefined;
  named(name: string): T | undefined;
}

/** An unchangeable set of records with its indexes. */
export class Snapshot<T extends Identified> implements RecordView<T> {
  readonly rows: readonly Row<T>[];
  readonly all: readonly T[];
  readonly notUnderstood: ReadonlySet<string>;
  readonly #byId: ReadonlyMap<string, Row<T>>;
  readonly #byName: ReadonlyMap<string, T>;

  constructor(rows: readonly Row<T>[]) {
    const usable = rows.filter(isUsable);
    this.rows = rows;
    this.all = usable.map(({ value }) => value);
    this.notUnderstood = new Set(rows.flatMap((row) => (isUsable(row) ? [] : idsIn(row.record))));
    this.#byId = new Map(usable.map((row) => [row.value.id, row]));
    this.#byName = new Map(this.all.flatMap((value) => value.names.map((name) => [name, value])));
  }

  get(id: string): T | undefined {
    return this.#byId.get(id)?.value;
  }

  row(id: string): Row<T> | undefined {
    return this.#byId.get(id);
  }

  named(name: string): T | undefined {
    return this.#byName.get(name);
  }

  find(text: string): T | undefined {
    if (text === "") return undefined;
    return this.get(text) ?? this.named(text) ?? this.#onlyWithPrefix(text);
  }

  #onlyWithPrefix(prefix: string): T | undefined {
    const found = this.all.filter(({ id }) => id.startsWith(prefix));
    return found.length === 1 ? found[0] : undefined;
  }
}

function idsIn(record: JsonRecord): readonly string[] {
  return Object.values(record)
    .flat()
    .filter((value): value is string => typeof value === "string" && /^[0-9a-f]{64}$/.test(value));
}

function isUsable<T>(row: Row<T>): row is Row<T> & { readonly value: T } {
  return row.value !== undefined;
}

export interface LoadOptions<T> {
  readonly parse: (record: JsonRecord) => T;
  readonly what: string;
  readonly log: Logger;
}

/**
 * Makes rows of the records of several files. Of records with the same id the first counts; a record that cannot be
 * understood is kept but not used; of several owners of a name the last keeps it. `changed` has the places whose records
 * differ from their file because of that.
 */
export function loadRows<T extends Identified>(
  files: readonly (readonly JsonRecord[])[],
  options: LoadOptions<T>,
): { readonly rows: readonly Row<T>[]; readonly changed: ReadonlySet<number> } {
  const rows: Row<T>[] = [];
  const changed = new Set<number>();
  const ids = new Set<string>();
  const owners = new Map<string, number>();
  for (const [place, records] of files.entries()) {
    for (const record of records) {
      const value = tryParse(record, options);
      if (value !== undefined && ids.has(value.id)) continue;
      const at = rows.push({ record, place, value }) - 1;
      if (value === undefined) continue;
      ids.add(value.id);
      for (const name of value.names) {
        const before = owners.get(name);
        owners.set(name, at);
        if (before === undefined || before === at) continue;
        const loser = rows[before];
        if (loser === undefined) continue;
        rows[before] = withoutName(loser, name, options);
        changed.add(loser.place);
      }
    }
  }
  return { rows, changed };
}

function tryParse<T>(record: JsonRecord, { parse, what, log }: LoadOptions<T>): T | undefined {
  try {
    return parse(record);
  } catch (error) {
    log.warn("a record of the store cannot be used", { kind: what, id: own(record, "id"), why: reasonOf(error) });
    return undefined;
  }
}

function withoutName<T extends Identified>(row: Row<T>, name: string, options: LoadOptions<T>): Row<T> {
  const left = row.value?.names.filter((other) => other !== name) ?? [];
  const record = withValues(row.record, { names: left.length === 0 ? undefined : left });
  return { record, place: row.place, value: tryParse(record, options) };
}
