import { mkdir, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { type Logger, reasonOf } from "../base/index.ts";
import { removeUnfinishedWrites, syncFilesystem, writeFileAtomic } from "../host/index.ts";

/** Files by which the next start, or `crio wipe`, tells what happened to the last one (reference: ondisk.md 4). */
export interface ShutdownFiles {
  readonly versionFile: string;
  readonly versionFilePersist: string;
  readonly cleanShutdownFile: string;
  readonly version: string;
}

/** Notes that this version runs, and that from now on an end without `noteStop` is an unclean one. */
export async function noteStart(files: ShutdownFiles): Promise<void> {
  for (const path of [files.versionFile, files.versionFilePersist]) {
    if (path === "") continue;
    await mkdir(dirname(path), { recursive: true });
    await removeUnfinishedWrites(dirname(path));
    await writeFileAtomic(path, JSON.stringify(files.version), { mode: 0o644, durable: false });
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
