import { rfc3339FromNs } from "../../base/index.ts";
import {
  type CommonFields,
  commonFields,
  type IdMap,
  idMaps,
  idMapsValue,
  listValue,
  objectValue,
  textValue,
} from "./common-fields.ts";
import { integerField, type JsonRecord, own, recordField, textField, withValues } from "./json-records.ts";

export interface StoredLayer extends CommonFields {
  readonly parent: string | undefined;
  readonly mountLabel: string;
  /** Digest of the archive, uncompressed; undefined for the layers that containers write to. */
  readonly diffId: string | undefined;
  /** Bytes of the archive, uncompressed; undefined when unknown. */
  readonly diffSize: number | undefined;
  readonly compressedDigest: string | undefined;
  readonly compressedSize: number | undefined;
  /** Being made or removed; who finds it after a crash removes it. */
  readonly incomplete: boolean;
  readonly uidMaps: readonly IdMap[];
  readonly gidMaps: readonly IdMap[];
}

/** Throws Fault("corrupt"). */
export function parseLayer(record: JsonRecord): StoredLayer {
  const diffId = textValue(textField(record, "diff-digest"));
  const tocDigest = textValue(textField(record, "toc-digest"));
  const diffSize = integerField(record, "diff-size") ?? 0;
  return {
    ...commonFields(record),
    parent: textValue(textField(record, "parent")),
    mountLabel: textField(record, "mountlabel") ?? "",
    diffId,
    // Without a digest the size was never set; with a table of contents alone it may be -1.
    diffSize: (diffId === undefined && tocDigest === undefined) || diffSize < 0 ? undefined : diffSize,
    compressedDigest: textValue(textField(record, "compressed-diff-digest")),
    compressedSize: integerField(record, "compressed-size"),
    incomplete: own(recordField(record, "flags"), "incomplete") === true,
    uidMaps: idMaps(record, "uidmap"),
    gidMaps: idMaps(record, "gidmap"),
  };
}

/** What is known of a layer's content. */
export interface LayerContent {
  readonly diffId: string;
  readonly diffSize: number;
  readonly compressedDigest: string;
  readonly compressedSize: number;
  readonly compression: "none" | "gzip" | "zstd";
  readonly uids: readonly number[];
  readonly gids: readonly number[];
}

export interface NewLayer {
  readonly id: string;
  readonly names?: readonly string[];
  readonly parent?: string | undefined;
  readonly mountLabel?: string | undefined;
  readonly createdNs: bigint;
  readonly content?: LayerContent;
  readonly uidMaps?: readonly IdMap[] | undefined;
  readonly gidMaps?: readonly IdMap[] | undefined;
}

/** containers/storage's numbers of compressions. */
const compressions = { none: undefined, gzip: 2, zstd: 4 } as const;

/** The record of a new layer, marked incomplete; keys in the order of other writers. */
export function newLayerRecord(layer: NewLayer): JsonRecord {
  const { content } = layer;
  return withValues(
    {},
    {
      id: layer.id,
      names: listValue(layer.names),
      parent: layer.parent,
      mountlabel: textValue(layer.mountLabel),
      created: rfc3339FromNs(layer.createdNs),
      "compressed-diff-digest": content?.compressedDigest,
      "compressed-size": content?.compressedSize || undefined,
      "diff-digest": content?.diffId,
      "diff-size": content?.diffSize || undefined,
      compression: content === undefined ? undefined : compressions[content.compression],
      uidset: listValue(content?.uids),
      gidset: listValue(content?.gids),
      flags: { incomplete: true },
      uidmap: idMapsValue(layer.uidMaps),
      gidmap: idMapsValue(layer.gidMaps),
    },
  );
}

export function markIncomplete(record: JsonRecord): JsonRecord {
  return withValues(record, { flags: withValues(recordField(record, "flags"), { incomplete: true }) });
}

export function markComplete(record: JsonRecord): JsonRecord {
  return withValues(record, {
    flags: objectValue(withValues(recordField(record, "flags"), { incomplete: undefined })),
  });
}
