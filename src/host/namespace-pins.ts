import { closeSync, constants, mkdirSync, openSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { errnoOf, Fault, reasonOf } from "../base/index.ts";
import { cString } from "./c-string.ts";
import { libc } from "./libc.ts";
import { unmount } from "./mounts.ts";
import { checked } from "./syscalls.ts";

const MS_BIND = 4096;
// A pin that was bound twice (by a crash in between, or by another program) has that many mounts on it.
const maxMounts = 8;

/**
 * Keeps the namespace `source` (a link in /proc/…/ns) alive by binding it onto a new file at `path`, whose directory is
 * made if need be. Throws Fault("exists") when there is a file already. Leaves nothing on failure.
 */
export function pinNamespace(source: string, path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    closeSync(openSync(path, constants.O_CREAT | constants.O_EXCL | constants.O_RDONLY, 0));
  } catch (error) {
    const code = errnoOf(error) === "EEXIST" ? "exists" : "failed";
    throw new Fault(code, `pinning a namespace at ${path}: ${reasonOf(error)}`, { cause: error });
  }
  try {
    // mount(2): open_tree does not take what is not in a mount namespace.
    checked(libc().mount(cString(source), cString(path), null, MS_BIND, null), "mount", path);
  } catch (error) {
    rmSync(path, { force: true });
    throw new Fault("failed", `pinning a namespace at ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

/**
 * Takes a pin away: the namespace ends with its last process. A path where nothing is, or only the file of a pin, is
 * fine. A directory there is left alone, with a Fault("failed").
 */
export function removePin(path: string): void {
  try {
    for (let mounts = 0; mounts < maxMounts && unmount(path, { detach: true }); mounts++);
    rmSync(path, { force: true });
  } catch (error) {
    throw new Fault("failed", `removing the namespace pinned at ${path}: ${reasonOf(error)}`, { cause: error });
  }
}
