import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  futimesSync,
  linkSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeSync,
} from "node:fs";
import { assertNever, errnoOf, Fault } from "../../base/index.ts";
import { chmod, kernel, lchown, makedev, mknod, utimensAt } from "../../host/index.ts";
import type { DirectoryTimes } from "./directory-times.ts";
import {
  clearWay,
  isDirectory,
  isMissing,
  isSymbolicLink,
  isWhiteout,
  makeParents,
  markOpaque,
} from "./layer-paths.ts";
import { setLayerXattrs } from "./layer-xattrs.ts";
import type { TarEntry } from "./tar-entry.ts";
import { kernelPath, pathInLayer, shownName, splitPath, type TarName, withText } from "./tar-name.ts";

export interface LayerTreeOptions {
  readonly directoryTimes: DirectoryTimes;
  /** Go on where the owner cannot be set (`overlay.ignore_chown_errors`). */
  readonly ignoreChownErrors: boolean;
  /** Entries and directories that had to be made for them, before Fault("exhausted"). */
  readonly maxEntries: number;
}

/**
 * Makes the tree of a layer from archive entries, below the working directory, which must be the root directory of this
 * thread (see confine.ts): that, and not the checks here, is what keeps a hostile archive inside.
 * Whiteouts of the OCI format become those of overlayfs. A later entry replaces an earlier one of the same path.
 */
export class LayerTree {
  readonly #options: LayerTreeOptions;
  #file: { readonly fd: number; readonly entry: TarEntry; readonly path: string | Buffer } | undefined;
  #impliedDirectories = 0;
  #skippedXattrs = 0;
  #hasRootEntry = false;
  /** A directory has been made that gives its group or its access rights to what is made in it. */
  #directoriesHandDown = false;
  readonly #umask = process.umask();

  constructor(options: LayerTreeOptions) {
    this.#options = options;
  }

  /** Attributes that were not set, see layer-xattrs.ts. */
  get skippedXattrs(): number {
    return this.#skippedXattrs;
  }

  /** Whether the archive said how the root directory itself should be. */
  get hasRootEntry(): boolean {
    return this.#hasRootEntry;
  }

  /** Creates what the entry describes; a file stays open for `write` and `end`. Throws Fault or a system error. */
  create(entry: TarEntry): void {
    const path = pathInLayer(entry.name);
    const [directory, base] = splitPath(path.text);
    if (path.text === "") this.#root(entry);
    else if (base === opaqueMarker) this.#opaque(withText(path, directory));
    else if (base.startsWith(aufsPrefix)) return;
    else if (base.startsWith(whiteoutPrefix)) this.#whiteout(entry, withText(path, directory), base);
    else this.#make(entry, path);
  }

  write(bytes: Uint8Array): void {
    if (this.#file === undefined) return; // the content of a whiteout, which means nothing
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#file.fd, bytes, at, bytes.length - at);
  }

  end(): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    const { fd, entry, path } = file;
    try {
      if (!this.#isOwnedAsMade(entry)) this.#ignoringChown(() => fchownSync(fd, entry.uid, entry.gid));
      if (!this.#hasModeAsMade(entry)) fchmodSync(fd, entry.mode); // after chown, which clears the set-id bits
      if (hasWholeSeconds(entry)) {
        const seconds = Number(entry.modifiedNs / 1_000_000_000n);
        futimesSync(fd, seconds, seconds);
      }
    } finally {
      closeSync(fd);
    }
    this.#skippedXattrs += setLayerXattrs(path, entry.xattrs); // after chown, which clears capabilities
    if (!hasWholeSeconds(entry)) this.#setTime(path, entry.modifiedNs);
  }

  /** All entries are there: sets the times of directories. */
  finish(): void {
    this.#options.directoryTimes.drain((path, modifiedNs) => {
      const name = path.text === "" ? "." : kernelPath(path);
      // Later entries may have replaced the directory; what took its place has a time of its own.
      if (isDirectory(name)) this.#setTime(name, modifiedNs);
    });
  }

  // System calls that would change nothing are left out: for most files of most layers that is one in three.

  /** Whether what we make belongs to the entry's owner from the start: root, unless a directory hands down its group. */
  #isOwnedAsMade({ uid, gid }: TarEntry): boolean {
    return uid === 0 && gid === 0 && !this.#directoriesHandDown;
  }

  /** Whether a file made with the entry's mode has it: no bit falls to the umask, to chown, or to a default ACL. */
  #hasModeAsMade({ mode }: TarEntry): boolean {
    return (mode & (0o7000 | this.#umask)) === 0 && !this.#directoriesHandDown;
  }

  /** Gives up: closes what is open. */
  abandon(): void {
    if (this.#file !== undefined) closeSync(this.#file.fd);
    this.#file = undefined;
  }

  #root(entry: TarEntry): void {
    if (entry.type !== "directory") throw new Fault("invalid", `the root of the layer as a ${entry.type}`);
    this.#hasRootEntry = true;
    this.#attributes(entry, withText(entry.name, ""));
  }

  #opaque(directory: TarName): void {
    const path = directory.text === "" ? "." : kernelPath(directory);
    if (!isDirectory(path)) this.#parentsOf(withText(directory, `${directory.text}/${opaqueMarker}`));
    if (isDirectory(path)) markOpaque(path);
  }

  #whiteout(entry: TarEntry, directory: TarName, base: string): void {
    const hidden = base.slice(whiteoutPrefix.length);
    if (["", ".", ".."].includes(hidden)) throw new Fault("invalid", "a whiteout of the directory it stands in");
    const path = withText(directory, directory.text === "" ? hidden : `${directory.text}/${hidden}`);
    const name = kernelPath(path);
    try {
      this.#withParents(path, () => mknod(name, kernel.S_IFCHR, 0), ["ENOENT"]);
      this.#ignoringChown(() => lchown(name, entry.uid, entry.gid));
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === "ENOTDIR") return; // below something that this layer has deleted or replaced already
      if (errno !== "EEXIST") throw error;
      // Whiteouts are about the layers below: what this layer itself has put there stays, and hides what was there.
      if (isDirectory(name)) markOpaque(name);
    }
  }

  #make(entry: TarEntry, path: TarName): void {
    const replaced = this.#replacing(entry, path, () => {
      this.#withParents(path, () => this.#makeNode(entry, path));
    });
    if (entry.type === "file") return; // when its content is there, see `end`
    if (replaced === "whiteout" && entry.type === "directory") markOpaque(kernelPath(path));
    this.#attributes(entry, path);
  }

  #makeNode(entry: TarEntry, path: TarName): void {
    const name = kernelPath(path);
    switch (entry.type) {
      case "file":
        this.#file = {
          fd: openSync(name, createFlags, this.#hasModeAsMade(entry) ? entry.mode : 0o600),
          entry,
          path: name,
        };
        return;
      case "directory":
        mkdirSync(name, 0o700);
        return;
      case "symlink":
        if (entry.link.text === "") throw new Fault("invalid", "a symbolic link to nothing");
        symlinkSync(kernelPath(entry.link), name); // wherever it leads: it is followed inside this root only
        return;
      case "hardlink":
        this.#link(entry, name);
        return;
      case "character":
      case "block":
        mknod(name, entry.type === "block" ? kernel.S_IFBLK : kernel.S_IFCHR, deviceOf(entry));
        return;
      case "fifo":
        mknod(name, kernel.S_IFIFO, 0);
        return;
      default:
        assertNever(entry.type);
    }
  }

  #link(entry: TarEntry, name: string | Buffer): void {
    const target = kernelPath(pathInLayer(entry.link));
    try {
      linkSync(target, name); // does not follow a symbolic link at its end
    } catch (error) {
      const missing = ["ENOENT", "ENOTDIR"].includes(errnoOf(error) ?? "") && isMissing(target);
      throw missing ? missingTarget(entry, error) : error;
    }
  }

  /** Runs `make`; when something is in the way, removes it and runs it again. A directory in a directory's way is left. */
  #replacing(entry: TarEntry, path: TarName, make: () => void): "nothing" | "whiteout" | "other" {
    try {
      make();
      return "nothing";
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error;
    }
    const name = kernelPath(path);
    if (entry.type === "directory" && isDirectory(name)) return "other";
    if (entry.type === "hardlink" && pathInLayer(entry.link).text === path.text) {
      throw new Fault("invalid", "a hard link to itself");
    }
    const was = isWhiteout(name) ? "whiteout" : "other";
    clearWay(name);
    make();
    return was;
  }

  /** Runs `make`; when its directory does not exist yet, makes that first. */
  #withParents(path: TarName, make: () => void, when: readonly string[] = ["ENOENT", "ENOTDIR"]): void {
    try {
      make();
    } catch (error) {
      if (!when.includes(errnoOf(error) ?? "") || !this.#parentsOf(path)) throw error;
      make();
    }
  }

  #parentsOf(path: TarName): boolean {
    const made = makeParents(path);
    this.#impliedDirectories += made;
    if (this.#impliedDirectories > this.#options.maxEntries) {
      throw new Fault("exhausted", `more than ${this.#options.maxEntries} directories that no entry describes`);
    }
    return made > 0;
  }

  #attributes(entry: TarEntry, path: TarName): void {
    const name = path.text === "" ? "." : kernelPath(path);
    this.#directoriesHandDown ||= entry.type === "directory" && handsDown(entry);
    this.#ignoringChown(() => lchown(name, entry.uid, entry.gid));
    // chmod follows links: not for symbolic ones, nor for hard links to them. Hard links get what their own entry says, as in other tools.
    const isSymlink = entry.type === "symlink" || (entry.type === "hardlink" && isSymbolicLink(name));
    if (!isSymlink) chmod(name, entry.mode);
    this.#skippedXattrs += setLayerXattrs(name, entry.xattrs);
    if (entry.type === "directory") this.#options.directoryTimes.add(path, entry.modifiedNs);
    else this.#setTime(name, entry.modifiedNs);
  }

  #setTime(path: string | Buffer, modifiedNs: bigint): void {
    utimensAt(path, modifiedNs, modifiedNs, { nofollow: true });
  }

  #ignoringChown(chown: () => void): void {
    try {
      chown();
    } catch (error) {
      if (!this.#options.ignoreChownErrors) throw error;
    }
  }
}

const whiteoutPrefix = ".wh.";
const opaqueMarker = ".wh..wh..opq";
/** Bookkeeping of AUFS, which old layers contain and which means nothing to others. */
const aufsPrefix = ".wh..wh.";

const createFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

function handsDown({ mode, xattrs }: TarEntry): boolean {
  return (mode & 0o2000) !== 0 || xattrs.some(([name]) => name === "system.posix_acl_default");
}

/** Then the time survives being a floating point number, which Node's own calls take. */
function hasWholeSeconds({ modifiedNs }: TarEntry): boolean {
  return modifiedNs % 1_000_000_000n === 0n && modifiedNs < latestExactNs && modifiedNs >= 0n;
}

const latestExactNs = 2n ** 50n * 1_000_000_000n;

function deviceOf(entry: TarEntry): number {
  try {
    return makedev(entry.deviceMajor, entry.deviceMinor);
  } catch (error) {
    throw new Fault("invalid", `a device number of ${entry.deviceMajor}:${entry.deviceMinor}`, { cause: error });
  }
}

function missingTarget(entry: TarEntry, cause: unknown): Fault {
  return new Fault("invalid", `a hard link to ${shownName(entry.link)}, which this layer does not contain`, { cause });
}
