import { join } from "node:path";
import { errnoOf } from "../../base/index.ts";
import { readBounded, writeFileAtomic } from "../../host/index.ts";
import type { StoreLock } from "../locks/store-lock.ts";
import { integerField, type JsonRecord, parseRecords, textField, withValues } from "./json-records.ts";

/** A layer that is mounted, and how often that was asked for. */
export interface MountCount {
  readonly id: string;
  readonly path: string;
  readonly count: number;
}

/** The counts, for changing them under the lock. */
export interface MountCountsDraft {
  readonly all: readonly MountCount[];
  get(id: string): MountCount | undefined;
  /** A count of 0 forgets the layer. */
  set(mount: MountCount): void;
  save(): Promise<void>;
}

/**
 * Which layers are mounted, for all programs that share the store until the next boot: `mountpoints.json` under its own
 * lock. Read whole every time; it has one short line for each running container.
 */
export class MountCounts {
  readonly #path: string;
  readonly #lock: StoreLock;

  constructor(directory: string, lock: StoreLock) {
    this.#path = join(directory, "mountpoints.json");
    this.#lock = lock;
  }

  async read(signal?: AbortSignal): Promise<readonly MountCount[]> {
    return this.#lock.read(async () => [...(await this.#load()).values()].map(parseMount), signal);
  }

  /** Runs `work`, which may mount and unmount, and change the counts. The caller holds the lock of the layers. */
  async write<R>(work: (draft: MountCountsDraft) => Promise<R>, signal?: AbortSignal): Promise<R> {
    return this.#lock.write(async (held) => {
      const records = new Map(await this.#load());
      return work({
        get all() {
          return [...records.values()].map(parseMount);
        },
        get: (id) => {
          const record = records.get(id);
          return record === undefined ? undefined : parseMount(record);
        },
        set: ({ id, path, count }) => {
          if (count > 0) records.set(id, withValues(records.get(id) ?? {}, { id, path, count }));
          else records.delete(id);
        },
        save: async () => {
          await held.recordChange();
          const text = JSON.stringify([...records.values()]);
          await writeFileAtomic(this.#path, text, { mode: 0o600, durable: false });
        },
      });
    }, signal);
  }

  async #load(): Promise<ReadonlyMap<string, JsonRecord>> {
    let text = "";
    try {
      text = (await readBounded(this.#path, maxFileBytes)).toString("utf8");
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw error;
    }
    const records = parseRecords(text, this.#path);
    return new Map(records.map((record) => [textField(record, "id") ?? "", record]));
  }
}

const maxFileBytes = 64 * 2 ** 20;

function parseMount(record: JsonRecord): MountCount {
  return {
    id: textField(record, "id") ?? "",
    path: textField(record, "path") ?? "",
    count: integerField(record, "count") ?? 0,
  };
}
