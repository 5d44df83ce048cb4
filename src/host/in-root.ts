import { constants, fchmodSync, fchownSync, fstatSync, openSync, readlinkSync } from "node:fs";
import { open } from "node:fs/promises";
import { errnoOf, Fault, reasonOf } from "../base/index.ts";
import { readWhole } from "./bounded-read.ts";
import { cString, shown } from "./c-string.ts";
import { libc } from "./libc.ts";
import { checked, close, kernel, mkdirat } from "./syscalls.ts";

const SYS_openat2 = 437;
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_NO_SYMLINKS = 0x04;
const RESOLVE_IN_ROOT = 0x10;
const maxSymlinks = 40;
// openat2 answers EAGAIN when a rename elsewhere in the system made it unsure that it stayed beneath the root.
const maxAttempts = 64;

export interface OpenInRootOptions {
  /** Creates the file when it is missing; needs `write`. Not its directory: `makeDirectoryInRoot`. */
  readonly create?: boolean;
  /** Only a directory will do. */
  readonly directory?: boolean;
  /** For reading and writing, otherwise for reading. */
  readonly write?: boolean;
  /** Of a file that is created; the umask applies. Default 0o644. */
  readonly mode?: number;
}

/**
 * Opens the file or directory `path` as a process confined to `root` would see it: absolute paths, symbolic links and
 * `..` are resolved inside, and the magic links of /proc not at all. Whoever writes in `root` at the same time cannot
 * lead it out. Only regular files and directories: a FIFO could make us wait, a device could do anything.
 *
 * Returns the descriptor, which the caller closes. Throws a SystemCallError (ENOENT, ENOTDIR, ELOOP …), or
 * Fault("invalid") when something else than a file or directory is there.
 */
export function openInRoot(root: string, path: string, options: OpenInRootOptions = {}): number {
  const rootFd = openRoot(root);
  try {
    const found = openBeneath(rootFd, path, kernel.O_PATH | (options.directory ? constants.O_DIRECTORY : 0));
    return reopened(found, root, path, options);
  } catch (error) {
    if (options.create !== true || errnoOf(error) !== "ENOENT") throw error;
    // Not O_EXCL: the path may end in a symbolic link to a missing file, which is then made where the link points.
    const flags = constants.O_CREAT | constants.O_RDWR | constants.O_NONBLOCK | constants.O_NOCTTY;
    return checkedKind(openBeneath(rootFd, path, flags, options.mode ?? 0o644), root, path);
  } finally {
    close(rootFd);
  }
}

/**
 * The content of a file inside `root` (see `openInRoot`), or undefined when it or its directory is missing.
 * Rejects with Fault("exhausted") beyond `maxBytes`.
 */
export async function readFileInRoot(root: string, path: string, maxBytes: number): Promise<Buffer | undefined> {
  let fd: number;
  try {
    fd = openInRoot(root, path);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "ENOTDIR") return undefined;
    throw error;
  }
  try {
    // A second descriptor that Node owns: reading is for the thread pool, which must not outlive ours.
    await using file = await open(`/proc/self/fd/${fd}`, constants.O_RDONLY | constants.O_NONBLOCK);
    return await readWhole(file, maxBytes, `${path} in ${root}`);
  } finally {
    close(fd);
  }
}

/**
 * mkdir -p inside `root` (see `openInRoot`). The directories that are made get `mode` and the owner; those that exist
 * stay as they are. A symbolic link to nowhere is followed and what it names is made. A file in the way is a
 * Fault("invalid").
 */
export async function makeDirectoryInRoot(
  root: string,
  path: string,
  options: { readonly mode: number; readonly uid: number; readonly gid: number },
): Promise<void> {
  const rootFd = openRoot(root);
  try {
    makeBeneath(rootFd, path, options, maxSymlinks);
  } catch (error) {
    if (error instanceof Fault) throw error;
    const code = errnoOf(error) === "ENOTDIR" || errnoOf(error) === "ELOOP" ? "invalid" : "failed";
    throw new Fault(code, `making directory ${shown(path)} in ${root}: ${reasonOf(error)}`, { cause: error });
  } finally {
    close(rootFd);
  }
}

type DirectoryOptions = Parameters<typeof makeDirectoryInRoot>[2];

function makeBeneath(rootFd: number, path: string, options: DirectoryOptions, linksLeft: number): void {
  if (linksLeft === 0) throw new Fault("invalid", `making directory ${shown(path)}: too many symbolic links`);
  let done = "";
  for (const name of path.split("/")) {
    if (name === "" || name === ".") continue;
    const next = `${done}/${name}`;
    if (!isDirectoryBeneath(rootFd, next)) makeOne(rootFd, { parent: done, name, next }, options, linksLeft);
    done = next;
  }
}

function makeOne(
  rootFd: number,
  step: { readonly parent: string; readonly name: string; readonly next: string },
  options: DirectoryOptions,
  linksLeft: number,
): void {
  const parentFd = openBeneath(rootFd, step.parent, kernel.O_PATH | constants.O_DIRECTORY);
  try {
    mkdirat(parentFd, step.name, 0o700);
    own(parentFd, step.name, options);
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
    // It is there and is no directory: a link to nowhere, or made by somebody else just now.
    const target = linkTarget(parentFd, step.name);
    if (target !== undefined) {
      makeBeneath(rootFd, target.startsWith("/") ? target : `${step.parent}/${target}`, options, linksLeft - 1);
    } else if (!isDirectoryBeneath(rootFd, step.next)) throw error;
  } finally {
    close(parentFd);
  }
}

/** Sets owner and mode of the directory that was just made, through a descriptor: its name may be another's by now. */
function own(parentFd: number, name: string, options: DirectoryOptions): void {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY;
  const fd = openBeneath(parentFd, name, flags, 0, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
  try {
    fchownSync(fd, options.uid, options.gid);
    fchmodSync(fd, options.mode);
  } finally {
    close(fd);
  }
}

/** Whether there is a directory at `path`. A file there is an ENOTDIR. */
function isDirectoryBeneath(rootFd: number, path: string): boolean {
  try {
    close(openBeneath(rootFd, path, kernel.O_PATH | constants.O_DIRECTORY));
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}

function linkTarget(parentFd: number, name: string): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${parentFd}/${name}`);
  } catch {
    return undefined;
  }
}

function openRoot(root: string): number {
  return openSync(root, kernel.O_PATH | constants.O_DIRECTORY);
}

/** openat2 with `rootFd` as the root of all names. */
function openBeneath(
  rootFd: number,
  path: string,
  flags: number,
  mode = 0,
  resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
): number {
  const how = Buffer.alloc(24); // struct open_how: flags, mode, resolve
  how.writeBigUInt64LE(BigInt(flags | kernel.O_CLOEXEC), 0);
  how.writeBigUInt64LE(BigInt(mode), 8);
  how.writeBigUInt64LE(BigInt(resolve), 16);
  const name = cString(path === "" ? "." : path);
  for (let attempt = 1; ; attempt++) {
    try {
      return checked(libc().openat2(SYS_openat2, rootFd, name, how, how.length), "openat2", path);
    } catch (error) {
      if (errnoOf(error) !== "EAGAIN" || attempt === maxAttempts) throw error;
    }
  }
}

/** The same file, opened for use now that its kind is known. Gives up the O_PATH descriptor. */
function reopened(pathFd: number, root: string, path: string, options: OpenInRootOptions): number {
  try {
    checkKind(pathFd, root, path);
    const access = options.write ? constants.O_RDWR : constants.O_RDONLY;
    const kind = options.directory ? constants.O_DIRECTORY : 0;
    return openSync(`/proc/self/fd/${pathFd}`, access | kind | constants.O_NONBLOCK | constants.O_NOCTTY);
  } finally {
    close(pathFd);
  }
}

function checkedKind(fd: number, root: string, path: string): number {
  try {
    checkKind(fd, root, path);
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
}

function checkKind(fd: number, root: string, path: string): void {
  const found = fstatSync(fd);
  if (found.isFile() || found.isDirectory()) return;
  throw new Fault("invalid", `opening ${shown(path)} in ${root}: neither a file nor a directory`);
}
