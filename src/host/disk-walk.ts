import { type BigIntStats, constants, lstatSync, opendirSync, openSync, statfsSync } from "node:fs";
import { errnoOf, Fault, reasonOf } from "../base/index.ts";
import type { KernelPath } from "./c-string.ts";
import { chdir, close, fchdir, kernel } from "./syscalls.ts";

const OVERLAYFS_MAGIC = 0x794c7630;
// The kernel takes paths up to 4096 bytes, but trees may be deeper.
const longPath = 3000;
// Each level is 3000 bytes of path; the kernel has no limit, descriptors do.
const maxLevels = 500;

export interface DiskUsage {
  /** Allocated: blocks of 512 bytes, those of directories included. */
  readonly bytes: bigint;
  /** Files, directories and the rest, the top directory included. */
  readonly inodes: bigint;
  /** The lengths of regular files and symbolic links, as `du --apparent-size` counts. */
  readonly apparentBytes: bigint;
}

/**
 * Measures the tree at `path`; see `DiskUsageMeter.measure`. Synchronous, and changes the working directory: for a worker
 * thread that has one of its own.
 */
export function measureTree(path: string): DiskUsage {
  try {
    const top = lstatSync(path, { bigint: true });
    const walk = new Walk(top, path);
    if (top.isDirectory()) walk.enter(path);
    return walk.sum;
  } catch (error) {
    if (error instanceof Fault) throw error;
    const code = errnoOf(error) === "ENOENT" ? "not-found" : "failed";
    throw new Fault(code, `measuring ${path}: ${reasonOf(error)}`, { cause: error });
  } finally {
    chdir("/"); // not to keep a mount busy
  }
}

class Walk {
  readonly #device: bigint;
  /** On overlay the files have other device numbers than the directories: those of the layers. */
  readonly #filesOnAnyDevice: boolean;
  readonly #counted = new Set<string>();
  #bytes = 0n;
  #apparentBytes = 0n;
  #inodes = 0n;

  constructor(top: BigIntStats, path: string) {
    this.#device = top.dev;
    this.#filesOnAnyDevice = top.isDirectory() && statfsSync(path).type === OVERLAYFS_MAGIC;
    this.#count(top);
  }

  get sum(): DiskUsage {
    return { bytes: this.#bytes, inodes: this.#inodes, apparentBytes: this.#apparentBytes };
  }

  /** Walks the directory `path` with names relative to it. Where they get too long, it goes in and starts anew. */
  enter(path: KernelPath, level = 0): void {
    if (level === maxLevels) throw new Fault("exhausted", "measuring a tree: nested deeper than any should be");
    chdir(path);
    const stack = ["."];
    for (let directory = stack.pop(); directory !== undefined; directory = stack.pop()) {
      if (directory.length > longPath) this.#enterAndReturn(directory, level);
      else this.#list(directory, stack);
    }
  }

  #enterAndReturn(directory: string, level: number): void {
    const here = openSync(".", kernel.O_PATH | constants.O_DIRECTORY);
    try {
      unlessGone(() => this.enter(bytes(directory), level + 1));
    } finally {
      fchdir(here);
      close(here);
    }
  }

  #list(directory: string, stack: string[]): void {
    unlessGone(() => {
      const listing = opendirSync(bytes(directory), { bufferSize: 256, encoding: "latin1" });
      try {
        for (let entry = listing.readSync(); entry !== null; entry = listing.readSync()) {
          const name = `${directory}/${entry.name}`;
          unlessGone(() => this.#look(name, stack));
        }
      } finally {
        listing.closeSync();
      }
    });
  }

  #look(name: string, stack: string[]): void {
    const found = lstatSync(bytes(name), { bigint: true });
    const isDirectory = found.isDirectory();
    if (found.dev !== this.#device && (isDirectory || !this.#filesOnAnyDevice)) return;
    this.#count(found);
    if (isDirectory) stack.push(name);
  }

  #count(found: BigIntStats): void {
    if (found.nlink > 1n && !found.isDirectory()) {
      const identity = `${found.dev}:${found.ino}`;
      if (this.#counted.has(identity)) return;
      this.#counted.add(identity);
    }
    this.#inodes += 1n;
    this.#bytes += found.blocks * 512n;
    if (found.isFile() || found.isSymbolicLink()) this.#apparentBytes += found.size;
  }
}

/** Names are any bytes, here one character each: decoded as UTF-8, some could not be found again, and would go uncounted. */
function bytes(name: string): Buffer {
  return Buffer.from(name, "latin1");
}

function unlessGone(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!["ENOENT", "ENOTDIR", "ESTALE"].includes(errnoOf(error) ?? "")) throw error;
  }
}
