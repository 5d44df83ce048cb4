import { rfc3339FromNs } from "../../base/index.ts";
import { type Digest, isDigest } from "../../oci/index.ts";
import { type CommonFields, commonFields, type DataFields, dataFields, listValue, textValue } from "./common-fields.ts";
import { type JsonRecord, own, textField, textsField, withValues } from "./json-records.ts";

export interface StoredImage extends CommonFields, DataFields {
  /** Digest of the manifest it was pulled by, as far as it was written down. */
  readonly digest: Digest | undefined;
  /** Digests of all its manifests and lists of manifests, `digest` first. */
  readonly digests: readonly Digest[];
  /** All names it ever had, the last one given first. */
  readonly namesHistory: readonly string[];
  /** The topmost layer; undefined for an image without layers. */
  readonly layer: string | undefined;
  /** Copies of the topmost layer for user namespaces, made where the kernel cannot map owners. */
  readonly mappedLayers: readonly string[];
  /** Bytes of the signatures that the metadata tells of; they count towards the size of the image. */
  readonly signatureSizes: readonly number[];
  /** Bytes of the signatures of each manifest that has any, by its digest. */
  readonly signatureSizesByDigest: ReadonlyMap<string, readonly number[]>;
}

export interface SignatureSizes {
  /** Of the manifest that was pulled last. */
  readonly latest: readonly number[];
  readonly byDigest: ReadonlyMap<string, readonly number[]>;
}

/** Throws Fault("corrupt"). */
export function parseImage(record: JsonRecord): StoredImage {
  const data = dataFields(record);
  const digest = textValue(textField(record, "digest"));
  const manifests = [...data.dataDigests].filter(([key]) => key === "manifest" || key.startsWith("manifest-"));
  const digests = [digest ?? "", ...manifests.map(([, value]) => value)].filter(isDigest);
  return {
    ...commonFields(record),
    ...data,
    digest: digest !== undefined && isDigest(digest) ? digest : undefined,
    digests: [...new Set(digests)],
    namesHistory: textsField(record, "names-history"),
    layer: textValue(textField(record, "layer")),
    mappedLayers: textsField(record, "mapped-layers"),
    ...signatureSizes(textField(record, "metadata") ?? ""),
  };
}

/** Of the metadata text that image tools write: `{"signature-sizes": [n …], "signatures-sizes": {digest: [n …]}}`. Anything else there is theirs. */
function signatureSizes(metadata: string): Pick<StoredImage, "signatureSizes" | "signatureSizesByDigest"> {
  const parsed = metadataOf(metadata);
  const byDigest = own(parsed, "signatures-sizes");
  const entries = typeof byDigest === "object" && byDigest !== null ? Object.entries(byDigest) : [];
  return {
    signatureSizes: sizesIn(own(parsed, "signature-sizes")),
    signatureSizesByDigest: new Map(entries.map(([digest, sizes]) => [digest, sizesIn(sizes)])),
  };
}

function sizesIn(value: unknown): readonly number[] {
  return Array.isArray(value) ? value.filter((size) => Number.isSafeInteger(size) && size >= 0) : [];
}

function metadataOf(metadata: string): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(metadata);
    return typeof parsed === "object" && parsed !== null ? { ...parsed } : {};
  } catch {
    return {};
  }
}

/** `record` whose metadata tells of these signatures; as it is without any. */
export function withSignatureSizes(record: JsonRecord, sizes: SignatureSizes | undefined): JsonRecord {
  if (sizes === undefined) return record;
  const metadata = JSON.stringify({
    ...metadataOf(textField(record, "metadata") ?? ""),
    "signature-sizes": sizes.latest,
    "signatures-sizes": Object.fromEntries(sizes.byDigest),
  });
  return withValues(record, { metadata });
}

export interface NewImage {
  readonly id: string;
  readonly digest: string | undefined;
  readonly layer: string | undefined;
  readonly createdNs: bigint;
}

export function newImageRecord(image: NewImage): JsonRecord {
  return withValues(
    {},
    {
      id: image.id,
      digest: image.digest,
      layer: image.layer,
      metadata: "{}",
      created: rfc3339FromNs(image.createdNs),
    },
  );
}

/** `record` with these names and no others; they are added to its history. */
export function withNames(record: JsonRecord, names: readonly string[]): JsonRecord {
  const history = [...new Set([...names, ...textsField(record, "names-history")])];
  return withValues(record, { names: listValue([...new Set(names)]), "names-history": listValue(history) });
}

export interface DataItem {
  readonly key: string;
  readonly size: number;
  readonly digest: string;
}

/** `record` with these data items besides those it has. */
export function withData(record: JsonRecord, items: readonly DataItem[]): JsonRecord {
  const { dataNames, dataSizes, dataDigests } = dataFields(record);
  const names = new Set([...dataNames, ...items.map(({ key }) => key)]);
  const sizes = new Map([...dataSizes, ...items.map(({ key, size }) => [key, size] as const)]);
  const digests = new Map([...dataDigests, ...items.map(({ key, digest }) => [key, digest] as const)]);
  return withValues(record, {
    "big-data-names": listValue([...names]),
    "big-data-sizes": names.size === 0 ? undefined : Object.fromEntries(sizes),
    "big-data-digests": names.size === 0 ? undefined : Object.fromEntries(digests),
  });
}
