import { readdir, realpath, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, Fault, type Logger, systemClock } from "../base/index.ts";
import { readMountTable } from "../host/index.ts";
import { StoreLock } from "./locks/store-lock.ts";
import { detachMountsBelow } from "./overlay/detach-mounts.ts";
import { type StorePaths, storePaths } from "./paths.ts";
import { LayerWorkers } from "./unpack/layer-workers.ts";

export interface WipeOptions {
  readonly graphRoot: string;
  readonly runRoot: string;
  /** Wipe also while root file systems of containers are mounted, whoever's they are. */
  readonly force: boolean;
  readonly log: Logger;
  readonly lockTimeoutMs?: number;
}

/** What people keep below the graph root besides images and containers: podman's volumes and secrets. */
const kept: ReadonlySet<string> = new Set(["volumes", "secrets"]);

/**
 * Removes everything of a store: images and containers, whoever made them, and what keeps their records. It need not be one that can be
 * opened. Rejects with Fault("precondition"), having changed nothing, while a container is mounted, unless `force`.
 */
export async function wipeStore(options: WipeOptions): Promise<void> {
  const { log, lockTimeoutMs: timeoutMs = 60_000 } = options;
  const graphRoot = await realOrUndefined(options.graphRoot);
  if (graphRoot === undefined) return;
  const paths = storePaths(graphRoot, (await realOrUndefined(options.runRoot)) ?? options.runRoot);
  const workers = new LayerWorkers({ unpacking: 1, patienceMs: 500, idleMs: 0 });
  try {
    await new StoreLock({ path: paths.graphLock, clock: systemClock(), timeoutMs }).write(async () => {
      await refuseWhileMounted(paths, options);
      await detachMountsBelow(paths.driverHome, paths.containersDir, paths.containersRunDir);
      for (const entry of await readdir(graphRoot, { withFileTypes: true })) {
        const path = join(graphRoot, entry.name);
        if (path === paths.graphLock) continue;
        if (kept.has(entry.name)) await rmdirIfEmpty(path);
        else if (entry.isDirectory()) await workers.remove(path);
        else await rm(path);
      }
      for (const directory of [paths.driverRunHome, paths.mountsDir, paths.containersRunDir])
        await workers.remove(directory);
      await rm(paths.graphLock, { force: true });
    });
  } finally {
    await workers.close();
  }
  // A file system of its own stays mounted, and is empty.
  await rmdirIfEmpty(graphRoot);
  log.warn("removed all images and containers of the storage directory", { directory: graphRoot });
}

async function refuseWhileMounted({ driverHome }: StorePaths, { graphRoot, force }: WipeOptions): Promise<void> {
  if (force) return;
  const mounted = (await readMountTable()).find(({ mountPoint }) => mountPoint.startsWith(`${driverHome}/`));
  if (mounted === undefined) return;
  throw new Fault(
    "precondition",
    `wiping ${graphRoot}: a container is running, ${mounted.mountPoint} is mounted; stop it, or wipe with force`,
  );
}

async function rmdirIfEmpty(path: string): Promise<void> {
  await rmdir(path).catch((error) => {
    if (!["EBUSY", "ENOTEMPTY", "EEXIST", "ENOTDIR"].includes(errnoOf(error) ?? "")) throw error;
  });
}

async function realOrUndefined(path: string): Promise<string | undefined> {
  try {
    return await realpath(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
