import { access, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Fault, type Logger, reasonOf } from "../base/index.ts";
import type { Config } from "../config/index.ts";
import { isSameProcess, isServed, signalSameProcess, unpinNamespace, writeFileAtomic } from "../host/index.ts";
import { parseStorageMetadata, readState, type StorageMetadata } from "../state/index.ts";
import { openStore, type Store, wipeStore } from "../storage/index.ts";
import { storeOptions } from "./node-store.ts";
import { readLastEnd, shutdownFiles } from "./shutdown-files.ts";
import { wipePods } from "./wipe-stale.ts";
import { withPods } from "./with-pods.ts";

export interface WipeCommand {
  readonly config: Config;
  /** Remove containers and images whatever the version files say. */
  readonly force: boolean;
  readonly version: string;
  readonly log: Logger;
}

/** Once a boot: what an unclean end has left is wiped by the first that looks, and what came after is not. */
const doneMarker = "/run/crio/crio-wipe-done";

const SIGKILL = 9;
const endTimeoutMs = 10_000;
const pollMs = 20;

/**
 * `crio wipe`: removes what a reboot or an upgrade has made useless, in the order of decisions of CRI-O (reference: ondisk.md 4).
 * Rejects, having removed nothing, while a daemon serves the CRI socket.
 */
export async function wipe({ config, force, version, log }: WipeCommand): Promise<void> {
  const last = await readLastEnd(shutdownFiles(config, version));
  const containersAreStale = force || last.containersAreStale;
  const imagesAreStale = force || last.imagesAreStale;
  const isUnclean = containersAreStale && last.isUnclean;
  if (isUnclean && (await isThere(doneMarker))) {
    log.info("this boot's wipe after an unclean shutdown has been done");
    return;
  }
  const ends = !containersAreStale || (config.crio.internalWipe && !force);
  if (ends && !isUnclean) {
    const why = containersAreStale ? "crio wipes at its start (internal_wipe)" : "this version ran since the last boot";
    log.info("nothing to wipe", { why });
    return;
  }
  await refuseWhileServed(config.api.listen);
  if (isUnclean) {
    log.warn("the last daemon ended without having put everything away: wiping the whole storage directory");
    await wipeStore({ graphRoot: config.crio.root, runRoot: config.crio.runroot, force: false, log });
    await mkdir(dirname(doneMarker), { recursive: true });
    await writeFileAtomic(doneMarker, "done", { mode: 0o644, durable: false });
  }
  if (ends) return;
  await withPods(config, log, (pods) => wipePods(pods, { images: imagesAreStale }));
  const store = await openStore(storeOptions(config, log));
  try {
    await wipeRest(store, { config, log, imagesAreStale });
  } finally {
    await store.close();
  }
}

/** Rejects with Fault("precondition") while a daemon answers: the store is its own then. */
export async function refuseWhileServed(socket: string): Promise<void> {
  if (!(await isServed(socket))) return;
  throw new Fault(
    "precondition",
    `a daemon serves ${socket}, and containers may run: stop it first; nothing was changed`,
  );
}

async function wipeRest(
  store: Store,
  { config, log, imagesAreStale }: { readonly config: Config; readonly log: Logger; readonly imagesAreStale: boolean },
): Promise<void> {
  const ours = (await store.containers()).flatMap(({ id, imageId, metadata }) => {
    const known = parseStorageMetadata(metadata);
    return known === undefined ? [] : [{ id, imageId, known }];
  });
  for (const { id, known } of ours) {
    try {
      await endProcesses(store, id);
      if (known.isPod) await unpin(config, known);
      await store.deleteContainer(id);
      log.info("deleted container", { id, name: known.name });
    } catch (error) {
      log.error("a container cannot be deleted", { id, error: reasonOf(error) });
    }
  }
  if (!imagesAreStale) return;
  for (const id of new Set(ours.map(({ imageId }) => imageId))) {
    if (id === undefined) continue;
    try {
      await store.removeImage(id);
      log.info("deleted image", { id });
    } catch (error) {
      log.error("an image cannot be deleted", { id, error: reasonOf(error) });
    }
  }
}

/** A process whose root file system is removed under it would go on, and nobody would know of it. */
async function endProcesses(store: Store, id: string): Promise<void> {
  const init = (await readState(store.containerDir(id)).catch(() => undefined))?.init;
  if (init === undefined || !(await signalSameProcess(init, SIGKILL))) return;
  const deadline = performance.now() + endTimeoutMs;
  while (await isSameProcess(init.pid, init.startTime)) {
    if (performance.now() > deadline) throw new Fault("deadline", `its process ${init.pid} does not end`);
    await sleep(pollMs);
  }
}

async function unpin({ runtime }: Config, { podId }: StorageMetadata): Promise<void> {
  if (!/^[0-9a-f]{64}$/.test(podId)) return; // no name of ours
  for (const kind of ["netns", "ipcns", "utsns", "userns"]) {
    await unpinNamespace(join(runtime.namespacesDir, kind, podId));
  }
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
