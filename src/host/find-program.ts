import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { join } from "node:path";

/**
 * The path of the executable `name` in `searchPath` (default: `$PATH`), or undefined. A name with a slash is taken as
 * it is, if it can be executed. Empty and relative entries of the search path are passed over.
 */
export async function findProgram(name: string, searchPath = process.env.PATH ?? ""): Promise<string | undefined> {
  if (name === "" || name.includes("\0")) return undefined;
  if (name.includes("/")) return (await isProgram(name)) ? name : undefined;
  for (const directory of searchPath.split(":")) {
    if (!directory.startsWith("/")) continue;
    const path = join(directory, name);
    if (await isProgram(path)) return path;
  }
  return undefined;
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
