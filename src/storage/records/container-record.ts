import { rfc3339FromNs } from "../../base/index.ts";
import {
  type CommonFields,
  commonFields,
  type DataFields,
  dataFields,
  type IdMap,
  idMaps,
  idMapsValue,
  listValue,
  textValue,
} from "./common-fields.ts";
import { type JsonRecord, own, recordField, textField, textsField, withValues } from "./json-records.ts";

export interface StoredContainer extends CommonFields, DataFields {
  /** The image it was made from; undefined for none. */
  readonly imageId: string | undefined;
  /** The layer it writes to. */
  readonly layerId: string;
  readonly processLabel: string;
  readonly mountLabel: string;
  /** Need not survive a power failure: kept in a file, and mounted in a way, that is not synced. */
  readonly volatile: boolean;
  /** Mount options in place of the store's. */
  readonly mountOptions: readonly string[];
  readonly uidMaps: readonly IdMap[];
  readonly gidMaps: readonly IdMap[];
}

/** Throws Fault("corrupt"). */
export function parseContainer(record: JsonRecord): StoredContainer {
  const flags = recordField(record, "flags");
  return {
    ...commonFields(record),
    ...dataFields(record),
    imageId: textValue(textField(record, "image")),
    layerId: textField(record, "layer") ?? "",
    processLabel: textField(flags, "ProcessLabel") ?? "",
    mountLabel: textField(flags, "MountLabel") ?? "",
    volatile: own(flags, "Volatile") === true,
    mountOptions: textsField(flags, "MountOpts"),
    uidMaps: idMaps(record, "uidmap"),
    gidMaps: idMaps(record, "gidmap"),
  };
}

export interface NewContainer {
  readonly id: string;
  readonly names: readonly string[];
  readonly imageId: string | undefined;
  readonly layerId: string;
  readonly metadata: string;
  readonly createdNs: bigint;
  readonly processLabel: string;
  readonly mountLabel: string;
  readonly mountOptions: readonly string[];
  readonly uidMaps: readonly IdMap[] | undefined;
  readonly gidMaps: readonly IdMap[] | undefined;
}

/** The record of a new container, volatile as all of CRI-O's are. */
export function newContainerRecord(container: NewContainer): JsonRecord {
  return withValues(
    {},
    {
      id: container.id,
      names: listValue(container.names),
      image: container.imageId ?? "",
      layer: container.layerId,
      metadata: textValue(container.metadata),
      created: rfc3339FromNs(container.createdNs),
      uidmap: idMapsValue(container.uidMaps),
      gidmap: idMapsValue(container.gidMaps),
      flags: withValues(
        {},
        {
          MountLabel: container.mountLabel,
          MountOpts: listValue(container.mountOptions),
          ProcessLabel: container.processLabel,
          Volatile: true,
        },
      ),
    },
  );
}
