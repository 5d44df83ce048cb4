import { fchownSync, lchownSync, symlinkSync } from "node:fs";
import { errnoOf } from "../base/index.ts";
import { close, makeDirectoryInRoot, openInRoot } from "../host/index.ts";
import type { HostOwner } from "./user-namespace.ts";

/**
 * Gives a root file system what every container finds, owned by the pod's root: its working directory, /etc, and /etc/mtab. All of it inside the root, whatever
 * links the image has put in the way.
 */
export async function prepareRootfs(rootfs: string, cwd: string, owner: HostOwner): Promise<void> {
  await makeDirectoryInRoot(rootfs, cwd, { mode: 0o755, ...owner });
  await makeDirectoryInRoot(rootfs, "/etc", { mode: 0o755, ...owner });
  linkMtab(rootfs, owner);
}

/** `/etc/mtab` → `/proc/mounts`, unless the image has one. Written through a descriptor of /etc, which cannot be swapped. */
function linkMtab(rootfs: string, owner: HostOwner): void {
  const etc = openInRoot(rootfs, "/etc", { directory: true });
  try {
    symlinkSync("/proc/mounts", `/proc/self/fd/${etc}/mtab`);
    lchownSync(`/proc/self/fd/${etc}/mtab`, owner.uid, owner.gid);
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
  } finally {
    close(etc);
  }
}

/** Directories of the image's volumes, for `image_volumes = "mkdir"`: made, and owned by the container's user. */
export async function makeVolumeDirectories(rootfs: string, paths: readonly string[], owner: HostOwner): Promise<void> {
  for (const path of paths) {
    await makeDirectoryInRoot(rootfs, path, { mode: 0o755, ...owner });
    const fd = openInRoot(rootfs, path, { directory: true });
    try {
      fchownSync(fd, owner.uid, owner.gid);
    } finally {
      close(fd);
    }
  }
}
