import { access, mkdir, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { errnoOf, type Logger, reasonOf } from "../base/index.ts";
import type { Config } from "../config/index.ts";
import { readBounded, removeUnfinishedWrites, syncFilesystem, writeFileAtomic } from "../host/index.ts";

/** Files by which the next start, or `crio wipe`, tells what happened to the last one (reference: ondisk.md 4). */
export interface ShutdownFiles {
  readonly versionFile: string;
  readonly versionFilePersist: string;
  readonly cleanShutdownFile: string;
  readonly version: string;
}

/** What a configuration says of them. */
export function shutdownFiles({ crio }: Config, version: string): ShutdownFiles {
  const { versionFile, versionFilePersist, cleanShutdownFile } = crio;
  return { versionFile, versionFilePersist, cleanShutdownFile, version };
}

/** What the files tell of the daemon that ran last. */
export interface LastEnd {
  /** It ended without `noteStop`: by a crash, a kill or a power failure. */
  readonly isUnclean: boolean;
  /** The node was booted since, or the daemon had another minor version. Containers are of no use then. */
  readonly containersAreStale: boolean;
  /** The daemon had another minor version, as far as that is written down on disk. Images may be of no use then. */
  readonly imagesAreStale: boolean;
}

/** Reads what the last daemon left. Must come before `noteStart`. */
export async function readLastEnd(files: ShutdownFiles): Promise<LastEnd> {
  const { cleanShutdownFile: clean } = files;
  return {
    isUnclean: clean !== "" && (await isThere(`${clean}.supported`)) && !(await isThere(clean)),
    containersAreStale: await isStale(files.versionFile, files.version),
    imagesAreStale: await isStale(files.versionFilePersist, files.version),
  };
}

/** Whether a version file is missing, unreadable, or of another minor version. One without a name tells nothing. */
async function isStale(path: string, version: string): Promise<boolean> {
  if (path === "") return false;
  try {
    const written: unknown = JSON.parse((await readBounded(path, maxVersionBytes)).toString());
    return typeof written !== "string" || minorOf(written) === undefined || minorOf(written) !== minorOf(version);
  } catch {
    return true; // whatever keeps it from being read keeps it from being this version's
  }
}

const maxVersionBytes = 4096;

function minorOf(version: string): string | undefined {
  return /^v?(\d+\.\d+)\.\d+(?:[-+].*)?$/.exec(version)?.[1];
}

async function isThere(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(errnoOf(error) ?? "")) return false;
    throw error;
  }
}

/** Notes that this version runs, and that from now on an end without `noteStop` is an unclean one. */
export async function noteStart(files: ShutdownFiles): Promise<void> {
  for (const path of [files.versionFile, files.versionFilePersist]) {
    if (path === "") continue;
    await mkdir(dirname(path), { recursive: true });
    await removeUnfinishedWrites(dirname(path));
    // An empty one after a power failure would count as another version's, and cost the node its images.
    const durable = path === files.versionFilePersist;
    await writeFileAtomic(path, JSON.stringify(files.version), { mode: 0o644, durable });
  }
  const { cleanShutdownFile } = files;
  if (cleanShutdownFile === "") return;
  await mkdir(dirname(cleanShutdownFile), { recursive: true });
  await removeUnfinishedWrites(dirname(cleanShutdownFile));
  await rm(cleanShutdownFile, { force: true });
  await writeFileAtomic(`${cleanShutdownFile}.supported`, "", { mode: 0o644, durable: true });
}

/** Notes that everything has reached the disk. */
export async function noteStop(files: ShutdownFiles, graphRoot: string, log: Logger): Promise<void> {
  if (files.cleanShutdownFile === "") return;
  try {
    await syncFilesystem(graphRoot);
    await writeFileAtomic(files.cleanShutdownFile, "", { mode: 0o644, durable: true });
  } catch (error) {
    log.error("the clean shutdown could not be noted; the next start checks the store", { error: reasonOf(error) });
  }
}
