import { join } from "node:path";
import { errnoOf, Fault } from "../base/index.ts";
import { readBounded } from "../host/index.ts";
import { digestHex, isDigest, maxSignatures } from "../oci/index.ts";
import { bigDataFileName } from "./paths.ts";
import type { SignatureSizes, StoredImage } from "./records/image-record.ts";
import type { StoreParts } from "./store-parts.ts";

const maxBlobBytes = 64 * 2 ** 20;

/** Signatures by the digest of the manifest that they are for, as containers/storage has them: one after the other, their sizes in the metadata. */
export async function signaturesOf(
  parts: StoreParts,
  image: StoredImage,
): Promise<ReadonlyMap<string, readonly Buffer[]>> {
  const found = new Map<string, readonly Buffer[]>();
  for (const [digest, sizes] of image.signatureSizesByDigest) {
    if (!isDigest(digest)) continue;
    const path = join(parts.paths.imagesDir, image.id, bigDataFileName(`signature-${digestHex(digest)}`));
    try {
      const bytes = await readBounded(path, maxBlobBytes);
      found.set(digest, cut(bytes, sizes, image.id));
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw error;
    }
  }
  return found;
}

function cut(bytes: Buffer, sizes: readonly number[], id: string): readonly Buffer[] {
  const pieces: Buffer[] = [];
  let at = 0;
  for (const size of sizes) {
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  // More than that were added by a write that was cut off before its record.
  if (at > bytes.length) throw new Fault("corrupt", `the signatures of image ${id} are not as long as it is recorded`);
  return pieces;
}

/**
 * What is to be written so that `fresh` are among the signatures of the manifest `digest`, each once: the new ones last, so that what was
 * there stays readable by its record until there is a new one. Of too many the oldest go.
 */
export function withSignatures(
  known: ReadonlyMap<string, readonly Buffer[]>,
  digest: string | undefined,
  fresh: readonly Uint8Array[],
): {
  readonly data: readonly { readonly key: string; readonly bytes: Uint8Array }[];
  readonly sizes: SignatureSizes | undefined;
} {
  if (digest === undefined || !isDigest(digest) || fresh.length === 0) return { data: [], sizes: undefined };
  const distinct: Buffer[] = [];
  for (const each of [...(known.get(digest) ?? []), ...fresh.map((bytes) => Buffer.from(bytes))]) {
    if (!distinct.some((other) => other.equals(each))) distinct.push(each);
  }
  distinct.splice(0, distinct.length - maxSignatures);
  const all = new Map([...known, [digest, distinct] as const]);
  const bytes = Buffer.concat(distinct);
  return {
    data: [
      { key: "signatures", bytes },
      { key: `signature-${digestHex(digest)}`, bytes },
    ],
    sizes: {
      latest: distinct.map(({ length }) => length),
      byDigest: new Map([...all].map(([key, list]) => [key, list.map(({ length }) => length)])),
    },
  };
}
