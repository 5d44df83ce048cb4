import { chmod, chown, mkdir, stat, symlink, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, Fault } from "../../base/index.ts";
import { lowerOnTopOf, newLinkName, readLinkName } from "./layer-links.ts";

/** Owner and mode of the root directory of a layer's tree. */
export interface RootAttributes {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** For layers without parent. */
export const baseRootAttributes: RootAttributes = { mode: 0o555, uid: 0, gid: 0 };

/** Makes the directories of a layer in `directory`, which must exist; not yet what ties it to others. */
export async function fillLayerDirectory(directory: string, root: RootAttributes): Promise<void> {
  await makeDirectory(join(directory, "diff"), root);
  await makeDirectory(join(directory, "work"), { ...root, mode: 0o700 });
  await makeDirectory(join(directory, "merged"), { ...root, mode: 0o700 });
}

/** What the root directory of a layer is to be like when nothing else says so: as its parent's. */
export async function inheritedRootAttributes(home: string, parent: string | undefined): Promise<RootAttributes> {
  if (parent === undefined) return baseRootAttributes;
  const { mode, uid, gid } = await stat(join(home, parent, "diff"));
  return { mode: mode & 0o7777, uid, gid };
}

export async function setRootAttributes(directory: string, { mode, uid, gid }: RootAttributes): Promise<void> {
  const diff = join(directory, "diff");
  await chown(diff, uid, gid);
  await chmod(diff, mode);
}

/**
 * Gives the layer in `directory` its place in a stack: its link, and the list of the layers below it, or the empty directory
 * that stands for them in a base layer. The link already points to `home/id`, where the directory is to be moved.
 */
export async function tieLayer(home: string, directory: string, id: string, parent: string | undefined): Promise<void> {
  const { uid, gid } = await stat(join(directory, "work"));
  const lower = parent === undefined ? undefined : await lowerOnTopOf(join(home, parent));
  if (lower === undefined) await makeDirectory(join(directory, "empty"), { mode: 0o700, uid, gid });
  else await writeFile(join(directory, "lower"), lower, { mode: 0o666 });
  const link = newLinkName();
  await writeFile(join(directory, "link"), link, { mode: 0o644 });
  await symlink(`../${id}/diff`, join(home, "l", link));
}

/** Removes the link that leads to the layer in `directory`; one that is gone already is fine. */
export async function untieLayer(home: string, directory: string): Promise<void> {
  try {
    await unlink(join(home, "l", await readLinkName(directory)));
  } catch (error) {
    const damaged = error instanceof Fault && error.code === "corrupt";
    if (!damaged && errnoOf(error) !== "ENOENT") throw error;
  }
}

async function makeDirectory(path: string, { mode, uid, gid }: RootAttributes): Promise<void> {
  await mkdir(path, { mode: 0o700 });
  await chown(path, uid, gid);
  await chmod(path, mode); // not left to the umask
}
