import { mkdir, realpath, stat } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { errnoOf, Fault } from "../base/index.ts";
import { type MountEntry, readMountTable } from "../host/index.ts";
import { checkMountRequests, type MountSource, type RequestedMount } from "../spec/index.ts";
import type { MountConfig } from "./config.ts";
import { type ImageMountSources, imageDirectory } from "./image-mounts.ts";
import { inTime } from "./in-time.ts";

/** Where the sources of mounts are. */
interface SourcePlaces {
  readonly bindMountPrefix: string;
  readonly images: ImageMountSources;
}

/** Looks up the host paths of a container's mounts. Rejects with the path and what is wrong with it; makes nothing. */
export async function findMountSources(
  mounts: readonly MountConfig[],
  places: SourcePlaces,
): Promise<readonly RequestedMount[]> {
  checkMountRequests(mounts);
  return await Promise.all(mounts.map(async (request) => ({ request, source: await sourceOf(request, places) })));
}

/** Makes the directories of missing mount sources, as the kubelet expects of a runtime. */
export async function makeMountSources(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    await inTime(`making the mount source ${path}`, () => mkdir(path, { recursive: true, mode: 0o755 }));
  }
}

async function sourceOf(mount: MountConfig, { bindMountPrefix, images }: SourcePlaces): Promise<MountSource> {
  const image = mount.image === undefined ? undefined : images.get(mount.image);
  if (image !== undefined) {
    return image.is === "artifact" ? image : { ...image, path: await imageDirectory(image.path, mount) };
  }
  if (!mount.hostPath.startsWith("/")) throw new Fault("invalid", `mount.HostPath ${mount.hostPath} is not absolute`);
  const wanted = join(bindMountPrefix === "" ? "/" : bindMountPrefix, normalize(mount.hostPath));
  return await inTime(`looking at the mount source ${wanted}`, async () => {
    const path = await existingPath(wanted);
    const source = { is: "host", path: path ?? wanted, exists: path !== undefined } as const;
    if (mount.propagation === "private") return source;
    const entry = await mountHolding(path ?? (await nearestParent(wanted)));
    if (entry === undefined) return source;
    const { shared, master } = entry.propagation;
    return {
      ...source,
      mount: { mountPoint: entry.mountPoint, shared: shared !== undefined, slave: master !== undefined },
    };
  });
}

/** The path with its symbolic links followed; undefined when there is nothing. */
async function existingPath(wanted: string): Promise<string | undefined> {
  try {
    await stat(wanted);
    return await realpath(wanted);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function nearestParent(path: string): Promise<string> {
  for (let parent = dirname(path); ; parent = dirname(parent)) {
    const found = await existingPath(parent);
    if (found !== undefined) return found;
  }
}

/** The mount that a path without symbolic links is on. */
async function mountHolding(path: string): Promise<MountEntry | undefined> {
  let best: MountEntry | undefined;
  for (const entry of await readMountTable()) {
    const { mountPoint } = entry;
    const holds = mountPoint === "/" || path === mountPoint || path.startsWith(`${mountPoint}/`);
    // Later lines lie over earlier ones at the same place.
    if (holds && mountPoint.length >= (best?.mountPoint.length ?? 0)) best = entry;
  }
  return best;
}
