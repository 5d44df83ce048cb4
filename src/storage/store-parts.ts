import { join } from "node:path";
import type { Clock, Logger } from "../base/index.ts";
import type { DiskUsageMeter } from "../host/index.ts";
import type { DriverOptions } from "./driver-options.ts";
import { StoreLock } from "./locks/store-lock.ts";
import type { OverlayDriver } from "./overlay/overlay-driver.ts";
import type { StorePaths } from "./paths.ts";
import { parseContainer, type StoredContainer } from "./records/container-record.ts";
import { parseImage, type StoredImage } from "./records/image-record.ts";
import { parseLayer, type StoredLayer } from "./records/layer-record.ts";
import { MountCounts } from "./records/mount-counts.ts";
import { RecordTable } from "./records/record-table.ts";
import { TempDir } from "./temp-dir.ts";
import type { LayerWorkers } from "./unpack/layer-workers.ts";
import type { LayerLimits } from "./unpack/limits.ts";

/**
 * What the operations on a store work with. Locks are taken in this order, whatever the operation:
 * layers, images, containers; the mount counts inside layers.
 */
export interface StoreParts {
  readonly paths: StorePaths;
  readonly layers: RecordTable<StoredLayer>;
  readonly images: RecordTable<StoredImage>;
  readonly containers: RecordTable<StoredContainer>;
  readonly mounts: MountCounts;
  readonly driver: OverlayDriver;
  readonly driverOptions: DriverOptions;
  readonly workers: LayerWorkers;
  readonly meter: DiskUsageMeter;
  readonly limits: LayerLimits;
  /** Whether layers are synced to disk before their records say that they are complete. */
  readonly syncLayers: boolean;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The file of volatile records, by its place among the files of a table. */
export const volatileFile = 1;

export interface TableOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly lockTimeoutMs: number;
}

type Tables = Pick<StoreParts, "layers" | "images" | "containers" | "mounts">;

export function storeTables(paths: StorePaths, { clock, log, lockTimeoutMs }: TableOptions): Tables {
  const lockOf = (path: string) => new StoreLock({ path, clock, timeoutMs: lockTimeoutMs });
  const filesOf = (directory: string, name: string) => [
    { path: join(directory, `${name}.json`), durable: true },
    { path: join(directory, `volatile-${name}.json`), durable: false },
  ];
  return {
    layers: new RecordTable({
      what: "layer",
      lock: lockOf(join(paths.layersDir, "layers.lock")),
      files: filesOf(paths.layersDir, "layers"),
      parse: parseLayer,
      log,
    }),
    images: new RecordTable({
      what: "image",
      lock: lockOf(join(paths.imagesDir, "images.lock")),
      files: [{ path: join(paths.imagesDir, "images.json"), durable: true }],
      parse: parseImage,
      log,
    }),
    containers: new RecordTable({
      what: "container",
      lock: lockOf(join(paths.containersDir, "containers.lock")),
      files: filesOf(paths.containersDir, "containers"),
      parse: parseContainer,
      log,
    }),
    mounts: new MountCounts(paths.mountsDir, lockOf(join(paths.mountsDir, "mountpoints.lock"))),
  };
}

/** Where what belongs to records of layers goes before it is removed. */
export function layerRecordTempDirs(paths: StorePaths): string {
  return join(paths.layersDir, "tmp");
}

/** A temporary directory beside the layers' directories, whose trees a worker removes. */
export async function newLayerTempDir({ driver, workers }: Pick<StoreParts, "driver" | "workers">): Promise<TempDir> {
  return TempDir.create(driver.tempDirs, (directory) => workers.remove(directory));
}

/** A temporary directory beside the layers' records. */
export async function newLayerRecordTempDir({
  paths,
  workers,
}: Pick<StoreParts, "paths" | "workers">): Promise<TempDir> {
  return TempDir.create(layerRecordTempDirs(paths), (directory) => workers.remove(directory));
}
