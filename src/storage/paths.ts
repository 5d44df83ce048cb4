import { join } from "node:path";
import { Fault } from "../base/index.ts";

/** Where everything of a store is. Pure; ids are checked by `checkStoreId` before they get here. */
export interface StorePaths {
  readonly graphRoot: string;
  readonly runRoot: string;
  /** The overlay driver's directory: one directory for each layer. */
  readonly driverHome: string;
  readonly driverRunHome: string;
  readonly imagesDir: string;
  readonly layersDir: string;
  readonly containersDir: string;
  readonly mountsDir: string;
  readonly containersRunDir: string;
  readonly graphLock: string;
}

export function storePaths(graphRoot: string, runRoot: string): StorePaths {
  return {
    graphRoot,
    runRoot,
    driverHome: join(graphRoot, "overlay"),
    driverRunHome: join(runRoot, "overlay"),
    imagesDir: join(graphRoot, "overlay-images"),
    layersDir: join(graphRoot, "overlay-layers"),
    containersDir: join(graphRoot, "overlay-containers"),
    mountsDir: join(runRoot, "overlay-layers"),
    containersRunDir: join(runRoot, "overlay-containers"),
    graphLock: join(graphRoot, "storage.lock"),
  };
}

/** Whether `id` can be the id of a layer, image or container, all of which name directories. */
export function isStoreId(id: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9_.-]{0,254}$/.test(id);
}

/** Throws Fault("invalid") for what cannot be an id. */
export function checkStoreId(id: string): string {
  if (isStoreId(id)) return id;
  throw new Fault("invalid", `not the id of anything in a store: ${JSON.stringify(id.slice(0, 128))}`);
}

/** tar-split of a layer: what its archive held besides file contents. */
export function tarSplitPath(paths: StorePaths, layerId: string): string {
  return join(paths.layersDir, `${layerId}.tar-split.gz`);
}

/** The name of the file that keeps a data item. Throws Fault("invalid") for a key whose file would be another directory. */
export function bigDataFileName(key: string): string {
  const plain = /^[0-9a-z.]+$/.test(key) && !/^\.+$/.test(key);
  const name = plain ? key : `=${Buffer.from(key, "utf8").toString("base64")}`;
  if (key === "" || /^\.+$/.test(key) || name.includes("/") || name.length > 255) {
    throw new Fault("invalid", `not the name of a data item: ${JSON.stringify(key.slice(0, 128))}`);
  }
  return name;
}
