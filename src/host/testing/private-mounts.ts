/** For tests: see `enterPrivateMounts`. */
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mountTmpfs, setPropagation, unmount } from "../mounts.ts";
import { kernel, unshare } from "../syscalls.ts";

/**
 * Moves this process into a mount namespace of its own, where no mount reaches the machine, and makes a fresh tmpfs to
 * work in. To be called before anything else in a test file: threads that exist already stay behind.
 */
export function enterPrivateMounts(): { readonly dir: string; leave(): void } {
  unshare(kernel.CLONE_NEWNS);
  setPropagation("/", "private", { recursive: true });
  const dir = mkdtempSync(join(tmpdir(), "host-mounts-"));
  mountTmpfs({ target: dir, mode: "0700", flags: [] });
  return {
    dir,
    leave() {
      unmount(dir, { detach: true });
      rmdirSync(dir);
    },
  };
}
