import { constants } from "node:fs";
import { chmod, chown, mkdir, open, readdir, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errnoOf, Fault, type Logger } from "../base/index.ts";
import { readBounded, readWhole } from "../host/index.ts";
import { cleanPath, type ReadyMount } from "../spec/index.ts";
import { inTime } from "./in-time.ts";
import type { HostOwner } from "./user-namespace.ts";

/** A line of mounts.conf: what of the host every container gets a copy of, and where. */
export interface DefaultMount {
  readonly source: string;
  readonly destination: string;
}

/** The node's own, and the distribution's; the first that is there counts. */
const usualFiles = ["/etc/containers/mounts.conf", "/usr/share/containers/mounts.conf"];
const maxFileBytes = 1 << 20;

/** What one container may get: the copies lie on a tmpfs. */
const limits = { bytes: 64 << 20, entries: 10_000, depth: 32 };

/**
 * Copies what mounts.conf names into the container's run directory, and resolves with the mounts that put the copies in place. They belong to the
 * pod's root; modes stay, symbolic links are followed, and what is neither file nor directory is left out, as are missing sources. Rejects when
 * it is more than a container should get.
 */
export async function defaultMounts(options: {
  /** `default_mounts_file`: the file to read in place of the usual ones, or "". */
  readonly file: string;
  readonly runDir: string;
  readonly owner: HostOwner;
  readonly log: Logger;
}): Promise<readonly ReadyMount[]> {
  const { file, runDir, log } = options;
  const mounts: ReadyMount[] = [];
  const copying: Copying = { ...options, left: { ...limits } };
  for (const [n, { source, destination }] of (await readDefaultMounts(file, log)).entries()) {
    // Not below its own name: that could be the name of another file of the run directory.
    const target = join(runDir, "default-mounts", String(n));
    const isCopied = await inTime(`copying the default mount ${source}`, async () => {
      await mkdir(dirname(target), { recursive: true, mode: 0o755 });
      return await copyTree(copying, { source, target, depth: 0 });
    });
    if (isCopied) mounts.push({ destination, type: "bind", source: target, options: ["bind", "rprivate"] });
    else log.warn("a default mount is skipped: its source is missing, or neither file nor directory", { source });
  }
  return mounts;
}

async function readDefaultMounts(file: string, log: Logger): Promise<readonly DefaultMount[]> {
  for (const path of file === "" ? usualFiles : [file]) {
    try {
      return parseMountsConf((await readBounded(path, maxFileBytes)).toString("utf8"), log);
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw error;
      if (file !== "") log.warn("default_mounts_file is missing: there are no default mounts", { file });
    }
  }
  return [];
}

/** The lines `SOURCE[:DESTINATION]` of a mounts.conf (containers-mounts.conf(5)). Others mean nothing; those that cannot be are skipped. */
export function parseMountsConf(text: string, log: Logger): readonly DefaultMount[] {
  const lines = text.split("\n").map((line) => line.trim());
  return lines.flatMap((line) => {
    if (!line.startsWith("/")) return [];
    const [source = "", target = source, ...more] = line.split(":");
    const destination = cleanPath(target);
    if (more.length === 0 && target.startsWith("/") && destination !== "/" && !line.includes("\0")) {
      return [{ source: cleanPath(source), destination }];
    }
    log.warn("a line of mounts.conf is skipped: it is not SOURCE[:DESTINATION], both absolute", { line });
    return [];
  });
}

interface Copying {
  readonly owner: HostOwner;
  readonly log: Logger;
  /** What may still be copied. */
  readonly left: { bytes: number; entries: number };
}

interface Copy {
  readonly source: string;
  readonly target: string;
  readonly depth: number;
}

/** Resolves with false when there is nothing to copy. */
async function copyTree(copying: Copying, copy: Copy): Promise<boolean> {
  const { source, target, depth } = copy;
  const { left, log, owner } = copying;
  const found = await foundAt(source);
  if (found === undefined) return false;
  left.entries -= 1;
  if (left.entries < 0) throw tooMuch(source, `${limits.entries} files and directories`);
  if (depth > limits.depth) throw tooMuch(source, `${limits.depth} directories deep`);
  if (found.isDirectory()) {
    await mkdir(target, { mode: 0o700 });
    for (const name of await readdir(source)) {
      const isCopied = await copyTree(copying, {
        source: join(source, name),
        target: join(target, name),
        depth: depth + 1,
      });
      if (!isCopied) log.debug("left out of a default mount", { path: join(source, name) });
    }
  } else if (found.isFile()) {
    await copyFile(copying, copy);
  } else return false;
  await chown(target, owner.uid, owner.gid);
  await chmod(target, found.mode & 0o777);
  return true;
}

/** A link in a directory may lead nowhere, or round in a circle. */
async function foundAt(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "ELOOP"].includes(errnoOf(error) ?? "")) return undefined;
    throw error;
  }
}

async function copyFile({ left }: Copying, { source, target }: Copy): Promise<void> {
  await using file = await open(source, constants.O_RDONLY | constants.O_NONBLOCK);
  const { size } = await file.stat();
  if (size > left.bytes) throw tooMuch(source, `${limits.bytes} bytes`);
  const content = await readWhole(file, left.bytes, source);
  left.bytes -= content.length;
  await writeFile(target, content, { flag: "wx", mode: 0o600 });
}

function tooMuch(source: string, limit: string): Fault {
  return new Fault("exhausted", `the default mounts are more than a container gets: ${source} goes beyond ${limit}`);
}
