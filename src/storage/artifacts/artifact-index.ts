import { errnoOf } from "../../base/index.ts";
import { readBounded } from "../../host/index.ts";
import {
  type Descriptor,
  type JsonObject,
  jsonList,
  jsonObject,
  parseDescriptor,
  parseJsonObject,
} from "../../oci/index.ts";

/** One entry of the index of an OCI image layout, with all that other programs wrote there. */
export interface IndexEntry {
  readonly descriptor: Descriptor;
  /** `org.opencontainers.image.ref.name`: a full reference, or whatever another program put there; "" without. */
  readonly refName: string;
  readonly raw: JsonObject;
}

export const refNameKey = "org.opencontainers.image.ref.name";

const maxIndexBytes = 16 * 1024 * 1024;
const maxEntries = 10_000;

/** The entries of an `index.json`; none when there is no such file. Rejects with Fault("invalid"). */
export async function readIndex(path: string): Promise<readonly IndexEntry[]> {
  let bytes: Buffer;
  try {
    bytes = await readBounded(path, maxIndexBytes);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "ENOTDIR") return [];
    throw error;
  }
  const index = parseJsonObject(bytes, path, maxIndexBytes);
  return jsonList(index, "manifests", path, maxEntries).map((value, at) => {
    const raw = jsonObject(value, `${path}: manifests[${at}]`);
    const descriptor = parseDescriptor(raw, `${path}: manifests[${at}]`);
    return { descriptor, refName: descriptor.annotations?.[refNameKey] ?? "", raw };
  });
}

/** The entry of an artifact of ours. */
export function newEntry(refName: string, { mediaType, digest, size, artifactType }: Descriptor): IndexEntry {
  const annotations = { [refNameKey]: refName };
  const descriptor = { mediaType, digest, size, annotations, ...(artifactType === undefined ? {} : { artifactType }) };
  return { descriptor, refName, raw: { ...descriptor } };
}

/** The text of an `index.json`. */
export function indexText(entries: readonly IndexEntry[]): string {
  const mediaType = "application/vnd.oci.image.index.v1+json";
  return JSON.stringify({ schemaVersion: 2, mediaType, manifests: entries.map(({ raw }) => raw) });
}
