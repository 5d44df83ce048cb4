import { readMountTable, unmount } from "../../host/index.ts";

/**
 * Takes away everything that is mounted on or below `directories` (absolute, without symbolic links). Before a tree is
 * removed: else what is mounted there, perhaps a directory of the host, would be emptied.
 */
export async function detachMountsBelow(...directories: readonly string[]): Promise<void> {
  const isBelow = (path: string) => directories.some((top) => path === top || path.startsWith(`${top}/`));
  const mounts = (await readMountTable()).filter(({ mountPoint }) => isBelow(mountPoint));
  for (const { mountPoint } of mounts.toReversed()) unmount(mountPoint, { detach: true }); // the latest first
}
