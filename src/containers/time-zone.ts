import { symlinkSync, unlinkSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { errnoOf, Fault, withStep } from "../base/index.ts";
import { close, openInRoot, readBounded, writeFileAtomic } from "../host/index.ts";
import { fileMount, type ReadyMount } from "../spec/index.ts";

/** Far more than any zone has. */
const maxZoneBytes = 1 << 20;

/**
 * Sets a container's time zone (`timezone`; reference: annotations-and-features.md 16): `/etc/localtime` of the root file system becomes a link
 * to the zone where the image has it; otherwise a copy of the host's is mounted there, which is what this resolves with.
 */
export async function timeZoneMounts(options: {
  /** A zone's name, `local` for the host's own, or "". */
  readonly zone: string;
  /** Where the host has its zones. */
  readonly zonesDir: string;
  readonly rootfs: string;
  readonly readonly: boolean;
  readonly runDir: string;
}): Promise<readonly ReadyMount[]> {
  const { zone, zonesDir, rootfs, readonly, runDir } = options;
  if (zone === "") return [];
  try {
    const file = await realpath(zone === "local" ? "/etc/localtime" : join(zonesDir, zone));
    const isThere = hasFile(rootfs, file);
    replaceLocaltime(rootfs, isThere ? file : undefined);
    if (isThere) return [];
    const source = join(runDir, "localtime");
    await writeFileAtomic(source, await readBounded(file, maxZoneBytes), { mode: 0o644, durable: false });
    return [fileMount("/etc/localtime", { source, access: readonly ? "ro" : "rw", confined: true })];
  } catch (error) {
    throw withStep(`setting the time zone ${zone}`, error);
  }
}

function hasFile(rootfs: string, path: string): boolean {
  try {
    close(openInRoot(rootfs, path));
    return true;
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "ELOOP"].includes(errnoOf(error) ?? "") || error instanceof Fault) return false;
    throw error;
  }
}

/** Through a descriptor of /etc, which cannot be swapped. */
function replaceLocaltime(rootfs: string, file: string | undefined): void {
  const etc = openInRoot(rootfs, "/etc", { directory: true });
  const localtime = `/proc/self/fd/${etc}/localtime`;
  try {
    unlinkUnlessMissing(localtime);
    if (file !== undefined) symlinkSync(relative(dirname("/etc/localtime"), file), localtime);
  } finally {
    close(etc);
  }
}

function unlinkUnlessMissing(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
}
