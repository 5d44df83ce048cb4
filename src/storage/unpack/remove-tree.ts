import { constants, type Dir, lstatSync, opendirSync, rmdirSync, unlinkSync } from "node:fs";
import { errnoOf, Fault } from "../../base/index.ts";
import { close, fchdir, kernel, openat } from "../../host/index.ts";

/**
 * Removes a directory with all that is in it, however deep: a container can make trees whose paths are longer than any
 * path may be. Synchronous; moves the working directory of this thread, which must be its own (see confine.ts).
 * Never follows a symbolic link, never leaves the file system of the directory: what is mounted below is a Fault.
 * A missing directory is fine.
 */
export function removeTree(directory: string): void {
  if (!enterIfThere(directory)) return;
  const device = lstatSync(".").dev;
  const path: Buffer[] = [];
  const pending: Buffer[][] = [clear(device)];
  for (;;) {
    const next = pending.at(-1)?.pop();
    if (next !== undefined) {
      if (removeEmpty(next)) continue;
      enter(kernel.AT_FDCWD, next);
      path.push(next);
      pending.push(clear(device));
      continue;
    }
    const more = clear(device);
    if (more.length > 0) {
      pending[pending.length - 1] = more;
      continue;
    }
    const done = path.pop();
    if (done === undefined) break;
    pending.pop();
    enter(kernel.AT_FDCWD, "..");
    rmdirSync(done);
  }
  enter(kernel.AT_FDCWD, "/");
  rmdirSync(directory);
}

/** How many directories are remembered of one level at a time; the rest is found when it is read again. */
const batch = 256;

/** Removes what is no directory from the working directory, and returns some of the directories in it. */
function clear(device: number): Buffer[] {
  const directories: Buffer[] = [];
  // The type of Dir knows only text names; with this encoding they are buffers.
  const entries = opendirSync(".", { encoding: "buffer" as BufferEncoding, bufferSize: 256 });
  try {
    for (let entry = entries.readSync(); entry !== null; entry = entries.readSync()) {
      const name = entry.name as unknown as Buffer;
      if (!isDirectory(entry, name, device)) unlinkSync(name);
      else if (directories.push(name) === batch) break;
    }
  } finally {
    entries.closeSync();
  }
  return directories;
}

function removeEmpty(name: Buffer): boolean {
  try {
    rmdirSync(name);
    return true;
  } catch (error) {
    if (["ENOTEMPTY", "EEXIST"].includes(errnoOf(error) ?? "")) return false;
    throw error;
  }
}

type DirectoryEntry = NonNullable<ReturnType<Dir["readSync"]>>;

function isDirectory(entry: DirectoryEntry, name: Buffer, device: number): boolean {
  if (entry.isFile() || entry.isSymbolicLink()) return false;
  const stat = lstatSync(name);
  if (stat.isDirectory() && stat.dev !== device) {
    throw new Fault(
      "precondition",
      `something is mounted on ${JSON.stringify(name.toString())} below a directory to be removed`,
    );
  }
  return stat.isDirectory();
}

function enterIfThere(directory: string): boolean {
  try {
    enter(kernel.AT_FDCWD, directory);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}

function enter(at: number, name: string | Buffer): void {
  const fd = openat(at, name, kernel.O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    fchdir(fd);
  } finally {
    close(fd);
  }
}
