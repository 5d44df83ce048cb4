import { constants, lstatSync, rmSync, type Stats, unlinkSync } from "node:fs";
import { errnoOf, Fault } from "../../base/index.ts";
import { close, kernel, lsetxattr, mkdirat, openat } from "../../host/index.ts";
import { kernelPath, splitPath, type TarName, withText } from "./tar-name.ts";

/** Whether `path` is a directory; a symbolic link to one is not. */
export function isDirectory(path: string | Buffer): boolean {
  return statOf(path)?.isDirectory() ?? false;
}

/** Whether `path` is overlayfs' mark that a name of the layers below is gone. */
export function isWhiteout(path: string | Buffer): boolean {
  const stat = statOf(path);
  return stat?.isCharacterDevice() === true && stat.rdev === 0;
}

export function isSymbolicLink(path: string | Buffer): boolean {
  return statOf(path)?.isSymbolicLink() ?? false;
}

/** Whether there is nothing at `path`. */
export function isMissing(path: string | Buffer): boolean {
  return statOf(path) === undefined;
}

/** Hides what the layers below have in this directory. */
export function markOpaque(path: string | Buffer): void {
  lsetxattr(path, "trusted.overlay.opaque", Buffer.from("y"));
}

/** Removes whatever is at `path`. */
export function clearWay(path: string | Buffer): void {
  // Whatever was created is removed at most once, so that replacing over and over stays linear in the archive's size.
  if (isDirectory(path)) rmSync(path, { recursive: true });
  else unlinkSync(path);
}

/**
 * Makes the directories above `path` that are missing, owned by root with mode 0755, and returns how many. A whiteout
 * in the way becomes an opaque directory. One system call or two for each part, so that depth costs no more than length.
 */
export function makeParents(path: TarName): number {
  let made = 0;
  let at = openat(kernel.AT_FDCWD, ".", directoryFlags);
  try {
    let walked = "";
    for (const part of splitPath(path.text)[0].split("/")) {
      if (part === "") continue;
      walked = walked === "" ? part : `${walked}/${part}`;
      const step = enter(at, withText(path, part), () => {
        made++;
        return isWhiteout(kernelPath(withText(path, walked))) ? kernelPath(withText(path, walked)) : undefined;
      });
      close(at);
      at = step;
    }
  } finally {
    close(at);
  }
  return made;
}

const directoryFlags = kernel.O_PATH | constants.O_DIRECTORY;

/** Opens the directory `part` in `at`, following links as the kernel does; makes it when it is missing. */
function enter(at: number, part: TarName, onMake: () => string | Buffer | undefined): number {
  const name = kernelPath(part);
  try {
    return openat(at, name, directoryFlags);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno !== "ENOENT" && errno !== "ENOTDIR") throw error;
    const whiteout = onMake();
    if (errno === "ENOTDIR" && whiteout === undefined) throw error;
    if (whiteout !== undefined) unlinkSync(whiteout);
    makeDirectory(at, name, error);
    if (whiteout !== undefined) markOpaque(whiteout);
    return openat(at, name, directoryFlags);
  }
}

function makeDirectory(at: number, name: string | Buffer, missing: unknown): void {
  try {
    mkdirat(at, name, 0o755);
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
    throw new Fault("invalid", "its directory is a symbolic link that leads nowhere", { cause: missing });
  }
}

function statOf(path: string | Buffer): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(errnoOf(error) ?? "")) return undefined;
    throw error;
  }
}
