import { constants, lstatSync, readdirSync } from "node:fs";
import { errnoOf, Fault } from "../base/index.ts";
import { close, fchdir, kernel, lsetxattr, openat } from "./syscalls.ts";

const attribute = "security.selinux";
const maxDepth = 512;
const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants;

/**
 * Gives a tree a label, itself included, without ever following a symbolic link: whoever owns it may be at work in it. For a thread with a working
 * directory of its own. What vanishes meanwhile does not matter, nor a file system without labels.
 */
export function relabelTree(path: string, label: string): void {
  const value = Buffer.from(label);
  if (!setLabel(path, value)) return;
  if (!lstatSync(path).isDirectory()) return;
  withDirectory(kernel.AT_FDCWD, path, (directory) => relabelBelow(directory, value, 1));
}

/** By names without a slash in the working directory: nothing in between can be swapped for a link. */
function relabelBelow(directory: number, value: Uint8Array, depth: number): void {
  if (depth > maxDepth) throw new Fault("exhausted", `relabelling: more than ${maxDepth} directories deep`);
  fchdir(directory);
  const inside: string[] = [];
  for (const entry of readdirSync(".", { withFileTypes: true })) {
    setLabel(entry.name, value);
    if (entry.isDirectory()) inside.push(entry.name);
  }
  for (const name of inside) {
    withDirectory(directory, name, (next) => relabelBelow(next, value, depth + 1));
  }
}

function withDirectory(parent: number, name: string, work: (directory: number) => void): void {
  let directory: number;
  try {
    directory = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "ELOOP"].includes(errnoOf(error) ?? "")) return;
    throw error;
  }
  try {
    work(directory);
  } finally {
    close(directory);
  }
}

/** False where the file system has no labels. */
function setLabel(name: string, value: Uint8Array): boolean {
  try {
    lsetxattr(name, attribute, value);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOTSUP") return false;
    if (errnoOf(error) === "ENOENT") return true;
    throw error;
  }
}
