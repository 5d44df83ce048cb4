import { chown, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { assertNever, newId } from "../base/index.ts";
import type { ReadyMount } from "../spec/index.ts";
import type { ContainerOptions } from "./deps.ts";
import { makeVolumeDirectories } from "./rootfs.ts";
import type { HostOwner } from "./user-namespace.ts";

export interface ImageVolumes {
  readonly rootfs: string;
  readonly runDir: string;
  /** Of the image's configuration. */
  readonly paths: readonly string[];
  /** On the host: the container's user, and the pod's root. */
  readonly owner: HostOwner;
  readonly root: HostOwner;
}

/** The image's volumes (`image_volumes`): directories in the root file system, directories of the container's own, or nothing. */
export async function volumeMounts(
  kind: ContainerOptions["imageVolumes"],
  { rootfs, runDir, paths, owner, root }: ImageVolumes,
): Promise<readonly ReadyMount[]> {
  switch (kind) {
    case "ignore":
      return [];
    case "mkdir":
      await makeVolumeDirectories(rootfs, paths, owner);
      return [];
    case "bind":
      return await Promise.all(paths.map((path) => ownVolume(runDir, path, root)));
    default:
      return assertNever(kind);
  }
}

async function ownVolume(runDir: string, destination: string, owner: HostOwner): Promise<ReadyMount> {
  const source = join(runDir, "mounts", newId());
  await mkdir(source, { recursive: true, mode: 0o755 });
  await chown(source, owner.uid, owner.gid);
  return { destination, type: "bind", source, options: ["private", "bind", "rw"] };
}
