import { mkdir, realpath } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, Fault, type Logger, reasonOf, systemClock, withStep } from "../base/index.ts";
import { DiskUsageMeter } from "../host/index.ts";
import { checkStore } from "./check.ts";
import {
  containerDir,
  containerRunDir,
  containerUsage,
  createContainer,
  deleteContainer,
  mountContainer,
  setContainerMetadata,
  unmountContainer,
} from "./containers.ts";
import { checkDriver } from "./driver-options.ts";
import {
  chainOf,
  createImage,
  imageConfig,
  imageData,
  imageSignatures,
  imageSize,
  removeImage,
  removeUnusedLayers,
  setImageNames,
} from "./images.ts";
import { mountLayer, mountLayerMapped, unmountLayer } from "./layer-mounts.ts";
import { commitLayer, layerIdOf, stageLayer } from "./layers.ts";
import { StoreLock } from "./locks/store-lock.ts";
import { OverlayDriver } from "./overlay/overlay-driver.ts";
import { type StorePaths, storePaths } from "./paths.ts";
import { recoverStore } from "./recover.ts";
import { repairStore } from "./repair.ts";
import type { Store } from "./store.ts";
import { type StoreParts, storeTables } from "./store-parts.ts";
import { LayerWorkers } from "./unpack/layer-workers.ts";
import { defaultLayerLimits, type LayerLimits } from "./unpack/limits.ts";

export interface OpenStoreOptions {
  /** What survives a reboot. */
  readonly graphRoot: string;
  /** What does not: on a tmpfs. */
  readonly runRoot: string;
  /** Default, and all there is: `overlay`. */
  readonly driver?: string;
  /** `overlay.mountopt=…` and the like. */
  readonly driverOptions: readonly string[];
  readonly log: Logger;
  readonly clock?: Clock;
  /** For every lock, before Fault("deadline"). Default: a minute. */
  readonly lockTimeoutMs?: number;
  readonly layerLimits?: Partial<LayerLimits>;
  /** Layers unpacked at the same time, those left out of account whose bytes do not come. Default: 2. */
  readonly unpackers?: number;
  /** Sync each layer to disk before its record says that it is complete. Default: no, as containers/storage. */
  readonly syncLayers?: boolean;
}

const idleWorkerMs = 15_000;
/** How long a layer may keep others from being unpacked while none of its bytes come. */
const unpackerPatienceMs = 500;

/**
 * Opens the store in these directories, which are made if they are missing, and removes what crashed programs have left
 * half done. Rejects with a Fault that says what about the directories, the kernel or the options is wrong.
 * One store per process and directory.
 */
export async function openStore(options: OpenStoreOptions): Promise<Store> {
  const { log, clock = systemClock(), lockTimeoutMs = 60_000 } = options;
  const driverOptions = checkDriver(options);
  const paths = await makeDirectories(options);
  const parts: StoreParts = {
    paths,
    ...storeTables(paths, { clock, log, lockTimeoutMs }),
    driver: new OverlayDriver(paths, driverOptions, log),
    driverOptions,
    workers: new LayerWorkers({
      unpacking: options.unpackers ?? 2,
      patienceMs: unpackerPatienceMs,
      idleMs: idleWorkerMs,
    }),
    meter: new DiskUsageMeter(),
    limits: { ...defaultLayerLimits, ...options.layerLimits },
    syncLayers: options.syncLayers ?? false,
    clock,
    log,
  };
  const graphLock = new StoreLock({ path: paths.graphLock, clock, timeoutMs: lockTimeoutMs });
  try {
    await graphLock.write(async () => {
      await parts.driver.open();
      await recoverStore(parts);
    });
    return storeOf(parts, graphLock);
  } catch (error) {
    await parts.workers.close();
    throw withStep(`opening the store in ${paths.graphRoot}`, error);
  }
}

async function makeDirectories({ graphRoot, runRoot }: OpenStoreOptions): Promise<StorePaths> {
  await mkdir(graphRoot, { recursive: true, mode: 0o700 });
  await mkdir(runRoot, { recursive: true, mode: 0o700 });
  // Mount tables show real paths.
  const paths = storePaths(await realpath(graphRoot), await realpath(runRoot));
  const directories = [
    paths.imagesDir,
    paths.layersDir,
    paths.containersDir,
    paths.mountsDir,
    paths.containersRunDir,
    join(paths.runRoot, "overlay-locks"),
  ];
  for (const directory of directories) await mkdir(directory, { recursive: true, mode: 0o700 });
  return paths;
}

function storeOf(parts: StoreParts, graphLock: StoreLock): Store {
  const { paths, images, layers, containers, log } = parts;
  const closing = new AbortController();
  const stagings = new Set<Promise<unknown>>();
  const stage: Store["stageLayer"] = async (blob, { signal, ...options }) => {
    const staging = stageLayer(parts, blob, { signal: AbortSignal.any([signal, closing.signal]), ...options });
    stagings.add(staging);
    return staging.finally(() => stagings.delete(staging));
  };
  return {
    graphRoot: paths.graphRoot,
    runRoot: paths.runRoot,
    imagesDir: paths.imagesDir,
    containersDir: paths.containersDir,
    images: () => images.read(({ all }) => all),
    image: (id) => images.read((view) => view.get(id)),
    findImage: (text) => images.read((view) => view.find(text)),
    imageData: (id, key) => imageData(parts, id, key),
    imageConfig: (id) => imageConfig(parts, id),
    imageManifest: (id) => imageData(parts, id, "manifest"),
    imageSignatures: (id) => imageSignatures(parts, id),
    imageSize: (id) => imageSize(parts, id),
    layersOf: async (id) => {
      const image = await images.read((view) => view.get(id));
      if (image === undefined) throw new Fault("not-found", `no image ${id} in the store`);
      return layers.read((view) => chainOf(view, image.layer));
    },
    createImage: (options) => createImage(parts, options),
    setImageNames: (id, names) => setImageNames(parts, id, names),
    removeImage: (id, options) => removeImage(parts, id, options),
    layerIdOf,
    hasLayer: (id) => layers.read((view) => view.get(id)?.incomplete === false),
    layer: (id) => layers.read((view) => view.get(id)),
    stageLayer: stage,
    commitLayer: (layer, options) => commitLayer(parts, layer, options),
    removeUnusedLayers: (ids) => removeUnusedLayers(parts, ids),
    mountLayer: (id) => mountLayer(parts, id),
    mountLayerMapped: (id, mount) => mountLayerMapped(parts, id, mount),
    unmountLayer: (id) => unmountLayer(parts, id),
    containers: () => containers.read(({ all }) => all),
    container: (id) => containers.read((view) => view.get(id)),
    findContainer: (text) => containers.read((view) => view.find(text)),
    createContainer: (options) => createContainer(parts, options),
    setContainerMetadata: (id, metadata) => setContainerMetadata(parts, id, metadata),
    mountContainer: (id, options) => mountContainer(parts, id, options),
    unmountContainer: (id, options) => unmountContainer(parts, id, options),
    deleteContainer: (id) => deleteContainer(parts, id),
    containerDir: (id) => containerDir(paths, id),
    containerRunDir: (id) => containerRunDir(paths, id),
    containerUsage: (id, signal) => containerUsage(parts, id, signal),
    check: (options) => checkStore(parts, options),
    repair: (report, options) => repairStore(parts, report, options),
    close: async () => {
      closing.abort(new Fault("unavailable", "the store is being closed"));
      await Promise.allSettled(stagings); // they remove what they have unpacked so far
      await Promise.all([parts.workers.close(), parts.meter.stop()]);
      await graphLock
        .write(async () => {
          if ((await parts.mounts.read()).length === 0) await parts.driver.close();
        })
        .catch((error) => log.warn("the store's private mount stays", { why: reasonOf(error) }));
    },
  };
}
