import { withStep } from "../base/index.ts";
import { diskUsage } from "../host/index.ts";
import type { ImageDeps } from "./deps.ts";

/** Space that the store takes for images and containers (CRI's FilesystemUsage). */
export interface FileSystemUsage {
  readonly mountpoint: string;
  readonly usedBytes: bigint;
  readonly inodesUsed: bigint;
}

/** Counted by a walk in a worker thread, as CRI-O counts: the image records, not the layers (reference: cri.md 9.5). */
export async function imageFsInfo(deps: Pick<ImageDeps, "store">): Promise<FileSystemUsage> {
  const path = deps.store.imagesDir;
  try {
    const { bytes, inodes } = await diskUsage(path);
    return { mountpoint: path, usedBytes: bytes, inodesUsed: inodes };
  } catch (error) {
    throw withStep(`get image fs info unable to get usage for ${path}`, error);
  }
}
