import { Fault, nsFromRfc3339 } from "../../base/index.ts";
import { isStoreId } from "../paths.ts";
import { integerField, type JsonRecord, recordField, recordsField, textField, textsField } from "./json-records.ts";

/** Ids `containerId … containerId + size - 1` inside a user namespace are `hostId …` outside. */
export interface IdMap {
  readonly containerId: number;
  readonly hostId: number;
  readonly size: number;
}

/** What layers, images and containers have in common. */
export interface CommonFields {
  readonly id: string;
  readonly names: readonly string[];
  /** Text of whoever made the record; `""` when there is none. */
  readonly metadata: string;
  /** 0n when it was not written down. */
  readonly createdNs: bigint;
}

/** Throws Fault("corrupt") for a record whose id could not name a directory, or whose values are of the wrong type. */
export function commonFields(record: JsonRecord): CommonFields {
  const id = textField(record, "id") ?? "";
  if (!isStoreId(id)) throw new Fault("corrupt", `its id is ${JSON.stringify(id.slice(0, 128))}`);
  return {
    id,
    names: textsField(record, "names"),
    metadata: textField(record, "metadata") ?? "",
    createdNs: createdNs(record),
  };
}

function createdNs(record: JsonRecord): bigint {
  const text = textField(record, "created");
  try {
    return text === undefined ? 0n : nsFromRfc3339(text);
  } catch {
    return 0n; // a time is no reason to do without the record
  }
}

/** Names and sizes of the data items that files beside the record hold. */
export interface DataFields {
  readonly dataNames: readonly string[];
  readonly dataSizes: ReadonlyMap<string, number>;
  readonly dataDigests: ReadonlyMap<string, string>;
}

export function dataFields(record: JsonRecord): DataFields {
  const sizes = recordField(record, "big-data-sizes");
  const digests = recordField(record, "big-data-digests");
  return {
    dataNames: textsField(record, "big-data-names"),
    dataSizes: new Map(Object.keys(sizes).map((key) => [key, integerField(sizes, key) ?? 0])),
    dataDigests: new Map(Object.keys(digests).map((key) => [key, textField(digests, key) ?? ""])),
  };
}

export function idMaps(record: JsonRecord, key: string): readonly IdMap[] {
  return recordsField(record, key).map((map) => ({
    containerId: integerField(map, "container_id") ?? 0,
    hostId: integerField(map, "host_id") ?? 0,
    size: integerField(map, "size") ?? 0,
  }));
}

/** The value of `uidmap` or `gidmap`; undefined leaves the key out. */
export function idMapsValue(maps: readonly IdMap[] | undefined): readonly JsonRecord[] | undefined {
  if (maps === undefined || maps.length === 0) return undefined;
  return maps.map(({ containerId, hostId, size }) => ({ container_id: containerId, host_id: hostId, size }));
}

/** A list's value; Go leaves empty ones out. */
export function listValue<T>(list: readonly T[] | undefined): readonly T[] | undefined {
  return list === undefined || list.length === 0 ? undefined : list;
}

/** A text's value; Go leaves empty ones out. */
export function textValue(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}

/** An object's value without what is undefined in it; undefined when nothing is left. */
export function objectValue(values: JsonRecord): JsonRecord | undefined {
  const present = Object.entries(values).filter(([, value]) => value !== undefined);
  return present.length === 0 ? undefined : Object.fromEntries(present);
}
