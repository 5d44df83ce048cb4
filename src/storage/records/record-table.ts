import { errnoOf, Fault, type Logger } from "../../base/index.ts";
import { readBounded, writeFileAtomic } from "../../host/index.ts";
import type { ChangeToken } from "../locks/change-token.ts";
import type { HeldLock, StoreLock } from "../locks/store-lock.ts";
import { type JsonRecord, parseRecords, withValues } from "./json-records.ts";
import { type Identified, loadRows, type RecordView, type Row, Snapshot } from "./snapshot.ts";

/** A file of records. What is not durable is not synced to disk. */
export interface RecordFile {
  readonly path: string;
  readonly durable: boolean;
}

export interface RecordTableOptions<T> {
  readonly what: string;
  readonly lock: StoreLock;
  readonly files: readonly RecordFile[];
  readonly parse: (record: JsonRecord) => T;
  readonly log: Logger;
}

/** A change in the making, under the write lock. Nothing of it is visible, here or on disk, before `save`. */
export interface RecordDraft<T> extends RecordView<T> {
  /** The record of `id` as it stands in the file. Throws Fault("not-found"). */
  record(id: string): JsonRecord;
  /** Adds a record, to the file with this number, or replaces the one with its id where that is. */
  put(record: JsonRecord, file?: number): void;
  remove(id: string): void;
  /** Writes what changed: a new change token first, then the files, then memory. */
  save(): Promise<void>;
}

interface Loaded<T extends Identified> {
  readonly token: ChangeToken;
  readonly snapshot: Snapshot<T>;
  /** Files whose records had to be mended while loading. */
  readonly changed: ReadonlySet<number>;
}

const maxFileBytes = 256 * 2 ** 20;

/**
 * The records of one kind (layers, images or containers) that this and other processes share. Memory is a copy, read
 * again whenever the change token says that somebody changed the files; an unchanged one costs a lock and 64 bytes.
 */
export class RecordTable<T extends Identified> {
  readonly #options: RecordTableOptions<T>;
  #loaded: Loaded<T> | undefined;

  constructor(options: RecordTableOptions<T>) {
    this.#options = options;
  }

  /** Runs `work` on the records as they are, which nobody changes meanwhile. */
  async read<R>(work: (view: RecordView<T>) => R | Promise<R>, signal?: AbortSignal): Promise<R> {
    return this.#options.lock.read(async (held) => work((await this.#current(held)).snapshot), signal);
  }

  /** Runs `work`, which may change the records. What it has not saved when it ends is forgotten. */
  async write<R>(work: (draft: RecordDraft<T>) => Promise<R>, signal?: AbortSignal): Promise<R> {
    return this.#options.lock.write(async (held) => {
      const loaded = await this.#current(held);
      return work(this.#draft(loaded, held));
    }, signal);
  }

  async #current(held: HeldLock): Promise<Loaded<T>> {
    const token = await held.token();
    const before = this.#loaded;
    if (before?.token.equals(token) === true) return before;
    const loaded = await this.#load(token);
    this.#loaded = loaded;
    return loaded;
  }

  async #load(token: ChangeToken): Promise<Loaded<T>> {
    const { files, parse, what, log } = this.#options;
    const records = await Promise.all(files.map(({ path }) => readRecords(path)));
    const { rows, changed } = loadRows(records, { parse, what, log });
    return { token, snapshot: new Snapshot(rows), changed };
  }

  #draft(loaded: Loaded<T>, held: HeldLock): RecordDraft<T> {
    const { what, parse, files } = this.#options;
    const changed = new Set(loaded.changed);
    let current = loaded.snapshot;
    const replace = (rows: readonly Row<T>[], file: number) => {
      current = new Snapshot(rows);
      changed.add(file);
    };
    return {
      get all() {
        return current.all;
      },
      get notUnderstood() {
        return current.notUnderstood;
      },
      get: (id) => current.get(id),
      find: (text) => current.find(text),
      named: (name) => current.named(name),
      record: (id) => {
        const row = current.row(id);
        if (row === undefined) throw new Fault("not-found", `no ${what} ${id} in the store`);
        return row.record;
      },
      put: (record, file = 0) => {
        const value = parse(record);
        const before = current.row(value.id);
        const row: Row<T> = { record, place: before?.place ?? file, value };
        const rows = before === undefined ? [...current.rows, row] : current.rows.map((r) => (r === before ? row : r));
        replace(rows, row.place);
      },
      remove: (id) => {
        const row = current.row(id);
        if (row !== undefined)
          replace(
            current.rows.filter((other) => other !== row),
            row.place,
          );
      },
      save: async () => {
        const token = await held.recordChange();
        for (const [place, file] of files.entries()) {
          if (!changed.has(place)) continue;
          const text = textOf(current.rows.filter((row) => row.place === place));
          await writeFileAtomic(file.path, text, { mode: 0o600, durable: file.durable });
        }
        changed.clear();
        this.#loaded = { token, snapshot: current, changed: new Set() };
      },
    };
  }
}

async function readRecords(path: string): Promise<readonly JsonRecord[]> {
  try {
    return parseRecords((await readBounded(path, maxFileBytes)).toString("utf8"), path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  }
}

function textOf(rows: readonly Row<unknown>[]): string {
  return `[${rows.map(({ record }) => JSON.stringify(record)).join(",")}]`;
}

/** A record with some values changed, put back. */
export function change<T>(draft: RecordDraft<T>, id: string, values: JsonRecord): void {
  draft.put(withValues(draft.record(id), values));
}
