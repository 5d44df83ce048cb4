import { mkdir, readdir, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, Fault } from "../../base/index.ts";
import { bindMountMapped, unmount } from "../../host/index.ts";
import type { IdMap } from "../records/common-fields.ts";
import type { RootAttributes } from "./layer-directory.ts";

// A container with a user namespace shares its image's layers with all others: while its overlay is mounted, they are shown to it with
// mapped owners below `mapped/<n>` of its own layer. The overlay keeps copies of these mounts, so that they can go at once. Only
// its own layer belongs to the mapped ids on disk (reference: ondisk.md 2.4).

/** The ids of a container with a user namespace. */
export interface LayerOwners {
  readonly uids: readonly IdMap[];
  readonly gids: readonly IdMap[];
}

/** Runs `work` with the layers as the user namespace pinned at `userNamespace` sees them, in the same order. */
export async function withMappedLayers<T>(
  directory: string,
  lowers: readonly string[],
  userNamespace: string,
  work: (mapped: readonly string[]) => T,
): Promise<T> {
  const home = join(directory, "mapped");
  await removeMappedLayers(home); // of a mount that was cut off
  try {
    const mapped: string[] = [];
    for (const [n, lower] of lowers.entries()) {
      const target = join(home, String(n));
      await mkdir(target, { recursive: true, mode: 0o700 });
      bindMountMapped(lower, target, userNamespace);
      mapped.push(target);
    }
    return work(mapped);
  } finally {
    await removeMappedLayers(home);
  }
}

async function removeMappedLayers(home: string): Promise<void> {
  const names = await readdir(home).catch((error: unknown) => {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  });
  if (names === undefined) return;
  for (const name of names) {
    while (unmount(join(home, name), { detach: true }));
    await rmdir(join(home, name));
  }
  await rmdir(home);
}

/** The attributes that a directory of the container's own layer has on disk. Throws Fault("invalid") when an owner is not mapped. */
export function mappedAttributes(root: RootAttributes, owners: LayerOwners | undefined): RootAttributes {
  if (owners === undefined) return root;
  return { ...root, uid: hostId(owners.uids, root.uid, "user"), gid: hostId(owners.gids, root.gid, "group") };
}

function hostId(maps: readonly IdMap[], id: number, what: string): number {
  const range = maps.find(({ containerId, size }) => id >= containerId && id < containerId + size);
  if (range !== undefined) return range.hostId + (id - range.containerId);
  throw new Fault(
    "invalid",
    `the image's root directory belongs to ${what} ${id}, which the user namespace does not have`,
  );
}
