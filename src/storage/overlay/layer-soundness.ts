import { lstat, readlink, symlink } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, isFault } from "../../base/index.ts";
import { lowerOnTopOf, readLinkName, readLower } from "./layer-links.ts";

/**
 * What is wrong with the directory of a layer: its tree, its link, and the list of the layers below it. Looks only; what the tree holds is
 * for others to say.
 */
export async function layerDirectoryProblems(
  home: string,
  id: string,
  parent: string | undefined,
): Promise<readonly string[]> {
  const directory = join(home, id);
  if (!(await isDirectory(directory))) return ["its directory is missing"];
  const problems: string[] = [];
  if (!(await isDirectory(join(directory, "diff")))) problems.push("its tree, the directory diff, is missing");
  const link = await linkProblem(home, id);
  if (link !== undefined) problems.push(link);
  const lower = await lowerProblem(home, directory, parent);
  return lower === undefined ? problems : [...problems, lower];
}

/** Puts the link that leads to a layer back where only that is missing, and says whether it did. */
export async function mendLink(home: string, id: string): Promise<boolean> {
  try {
    await symlink(`../${id}/diff`, join(home, "l", await readLinkName(join(home, id))));
    return true;
  } catch (error) {
    if (isFault(error, "corrupt") || ["ENOENT", "EEXIST", "ENOTDIR"].includes(errnoOf(error) ?? "")) return false;
    throw error;
  }
}

async function linkProblem(home: string, id: string): Promise<string | undefined> {
  let name: string;
  try {
    name = await readLinkName(join(home, id));
  } catch (error) {
    if (isFault(error, "corrupt", "exhausted")) return "its file link holds no link name";
    if (errnoOf(error) === "ENOENT") return "its file link is missing";
    throw error;
  }
  try {
    const target = await readlink(join(home, "l", name));
    return target === `../${id}/diff` ? undefined : `its link l/${name} leads to ${JSON.stringify(target)}`;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return `its link l/${name} is missing`;
    if (errnoOf(error) === "EINVAL") return `l/${name} is no link`;
    throw error;
  }
}

async function lowerProblem(home: string, directory: string, parent: string | undefined): Promise<string | undefined> {
  try {
    const lower = await readLower(directory);
    if (parent === undefined)
      return lower === undefined ? undefined : "it has layers below it that its record knows nothing of";
    const expected = await lowerOnTopOf(join(home, parent));
    return lower === expected ? undefined : `its file lower does not list the layers below it`;
  } catch (error) {
    // What is wrong with the parent is said of the parent.
    if (isFault(error, "corrupt", "exhausted") || errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR")
      return undefined;
    throw error;
  }
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isDirectory();
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(errnoOf(error) ?? "")) return false;
    throw error;
  }
}
