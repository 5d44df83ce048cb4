import { mkdir, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, Fault, KeyedLock, type Logger, reasonOf } from "../base/index.ts";
import { close, openInRoot, readBounded, writeFileAtomic } from "../host/index.ts";
import {
  type ArtifactFile,
  artifactFiles,
  findArtifact,
  findImage,
  type ImageDeps,
  type ImageUsers,
  requireTrustedArtifact,
  requireTrustedUse,
} from "../images/index.ts";
import type { Containers } from "../state/index.ts";
import type { Store, StoredArtifact } from "../storage/index.ts";
import type { MountConfig } from "./config.ts";

/** An image that a container has as a volume. */
export interface ImageMount {
  readonly is: "image";
  readonly imageId: string;
  /** Where it is mounted on the host. */
  readonly path: string;
  /** Whether it is mounted for the pod's user namespace. */
  readonly isMapped: boolean;
}

/** An OCI artifact that a container has as a volume: files of its store, each bound by itself. */
export interface ArtifactMount {
  readonly is: "artifact";
  readonly files: readonly ArtifactFile[];
}

/** By the image as the request names it. */
export type ImageMountSources = ReadonlyMap<string, ImageMount | ArtifactMount>;

/** What mounts name, before anything is mounted. */
export type MountImages = ReadonlyMap<string, { readonly is: "image"; readonly imageId: string } | ArtifactMount>;

interface Holder {
  readonly id: string;
  readonly runDir: string;
  /** Where the user namespace of its pod is pinned: images are mounted for it alone then, in its run directory, and go with that. */
  readonly userNamespace?: string | undefined;
}

interface ImageMountsDeps {
  readonly store: Pick<Store, "image" | "mountLayer" | "mountLayerMapped" | "unmountLayer">;
  readonly containers: Pick<Containers, "list">;
  readonly log: Logger;
}

const heldFile = "image-mounts.json";
const maxHeldBytes = 1 << 20;

/**
 * Images as volumes of containers: mounted read-only, each once, for as long as a container that has it is there. What a container holds is
 * written down in its run directory before it is mounted, so that whoever removes the container, perhaps the next daemon, gives it back.
 * A pod with users of its own has mounts of its own, with the owners that belong there.
 */
export class ImageMounts implements ImageUsers {
  readonly #deps: ImageMountsDeps;
  /** By image: it is not removed while it is being mounted. */
  readonly #locks = new KeyedLock<string>("image");
  /** Images of the containers that this daemon has made, by container: their records come later. */
  readonly #held = new Map<string, Set<string>>();

  constructor(deps: ImageMountsDeps) {
    this.#deps = deps;
  }

  /** Mounts an image for a container; resolves with the path. Rejects with Fault("not-found") when it is not in the store. */
  async acquire(holder: Holder, imageId: string): Promise<string> {
    const { store } = this.#deps;
    return await this.#locks.with(imageId, async () => {
      const image = await store.image(imageId);
      if (image === undefined) throw new Fault("not-found", `image "${imageId}" does not exist locally`);
      const { layer } = image;
      if (layer === undefined)
        throw new Fault("invalid", `image "${imageId}" has no layers, so that there is no volume`);
      const { userNamespace, runDir } = holder;
      const path =
        userNamespace === undefined
          ? await this.#mount(holder, layer)
          : await store.mountLayerMapped(layer, { directory: join(runDir, "image-mounts", imageId), userNamespace });
      const held = this.#held.get(holder.id) ?? new Set();
      this.#held.set(holder.id, held.add(imageId));
      return path;
    });
  }

  async #mount(holder: Holder, layer: string): Promise<string> {
    const before = await this.#layersOf(holder);
    await writeHeld(holder, [...before, layer]);
    try {
      return await this.#deps.store.mountLayer(layer);
    } catch (error) {
      await writeHeld(holder, before);
      throw error;
    }
  }

  /** Gives back all that a container holds. Idempotent. */
  async release(holder: Holder): Promise<void> {
    for (let layers = await this.#layersOf(holder); layers.length > 0; ) {
      const [layer = "", ...rest] = layers;
      await this.#deps.store.unmountLayer(layer);
      await writeHeld(holder, rest);
      layers = rest;
    }
    this.#held.delete(holder.id);
  }

  async whileUnused<T>(imageId: string, work: () => Promise<T>): Promise<T> {
    return await this.#locks.with(imageId, async () => {
      const user = this.#userOf(imageId);
      if (user === undefined) return await work();
      throw new Fault("precondition", `the image is in use by ${user}`);
    });
  }

  #userOf(imageId: string): string | undefined {
    for (const [id, images] of this.#held) if (images.has(imageId)) return id;
    const has = this.#deps.containers
      .list()
      .find(({ record }) => record.volumes.some((volume) => volume.image === imageId));
    return has?.record.id;
  }

  /** Layers that the container has mounted. What cannot be understood stays mounted until its image is removed. */
  async #layersOf({ id, runDir }: Holder): Promise<readonly string[]> {
    try {
      const held: unknown = JSON.parse((await readBounded(join(runDir, heldFile), maxHeldBytes)).toString("utf8"));
      if (Array.isArray(held) && held.every((layer) => typeof layer === "string")) return held;
      throw new Fault("corrupt", "not a list of layers");
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return [];
      this.#deps.log.warn("which images a container has mounted cannot be read; they stay mounted", {
        containerID: id,
        error: reasonOf(error),
      });
      return [];
    }
  }
}

async function writeHeld({ runDir }: Holder, layers: readonly string[]): Promise<void> {
  await writeFileAtomic(join(runDir, heldFile), JSON.stringify(layers), { mode: 0o600, durable: false });
}

interface FindMountDeps {
  readonly images: Pick<ImageDeps, "store" | "artifacts" | "candidates" | "policies">;
  /** `oci_artifact_mount_support` */
  readonly artifactMounts: boolean;
  readonly log: Logger;
}

/**
 * The artifacts and images that mounts name, artifacts first. Rejects, in the words that the kubelet looks for, when one is neither here, or is
 * an image that is not trusted.
 */
export async function findMountImages(
  deps: FindMountDeps,
  mounts: readonly MountConfig[],
  namespace: string,
): Promise<MountImages> {
  const found = new Map<string, { readonly is: "image"; readonly imageId: string } | ArtifactMount>();
  for (const { image, userSpecifiedImage: userSpecified } of mounts) {
    if (image === undefined) continue;
    await forImageVolume(async () => {
      const artifact = await findMountArtifact(deps, image);
      if (artifact !== undefined) {
        await requireTrustedArtifact(deps.images, artifact.artifact, { namespace, userSpecified });
        found.set(image, artifact.mount);
        return;
      }
      const local = await findImage(deps.images, image);
      if (local === undefined) throw new Fault("not-found", `image "${image}" does not exist locally`);
      await requireTrustedUse(deps.images, local.image, { namespace, userSpecified });
      found.set(image, { is: "image", imageId: local.image.id });
    });
  }
  return found;
}

async function findMountArtifact(
  { images, artifactMounts, log }: FindMountDeps,
  image: string,
): Promise<{ readonly artifact: StoredArtifact; readonly mount: ArtifactMount } | undefined> {
  const artifact = artifactMounts ? await findArtifact(images, image) : undefined;
  if (artifact === undefined) return undefined;
  const { files, unnamed } = artifactFiles(artifact);
  if (unnamed > 0)
    log.warn("layers of an OCI artifact have no file name and are not mounted", { image, layers: unnamed });
  return { artifact, mount: { is: "artifact", files } };
}

/** Mounts the images of `wanted`; artifacts need not be. What is mounted when one fails is for `ImageMounts.release`. */
export async function mountImages(
  mounts: ImageMounts,
  holder: Holder,
  wanted: MountImages,
): Promise<ImageMountSources> {
  const mounted = new Map<string, string>();
  const sources = new Map<string, ImageMount | ArtifactMount>();
  for (const [text, source] of wanted) {
    if (source.is === "artifact") {
      sources.set(text, source);
      continue;
    }
    const { imageId } = source;
    const path = mounted.get(imageId) ?? (await forImageVolume(() => mounts.acquire(holder, imageId)));
    mounted.set(imageId, path);
    sources.set(text, { is: "image", imageId, path, isMapped: holder.userNamespace !== undefined });
  }
  return sources;
}

/** The directory of a mounted image that a mount means, with the symbolic links in its path followed, all inside the image. */
export async function imageDirectory(path: string, { image, imageSubPath }: MountConfig): Promise<string> {
  if (imageSubPath === "") return path;
  return await forImageVolume(async () => {
    const fd = openSubPath(path, imageSubPath, image ?? "");
    try {
      return await readlink(`/proc/self/fd/${fd}`);
    } finally {
      close(fd);
    }
  });
}

function openSubPath(path: string, subPath: string, image: string): number {
  try {
    return openInRoot(path, subPath, { directory: true });
  } catch (error) {
    const errno = errnoOf(error) ?? "";
    const words = { ENOENT: "does not exist", ENOTDIR: "is not a directory", ELOOP: "is a loop of symbolic links" }[
      errno
    ];
    if (words === undefined) throw error;
    throw new Fault("invalid", `sub path "${subPath}" ${words} in image volume "${image}"`, { cause: error });
  }
}

/** Makes the empty directory that image volumes are stacked on. Rejects when somebody has put something there. */
export async function prepareEmptyDirectory(path: string): Promise<void> {
  await forImageVolume(async () => {
    await mkdir(path, { recursive: true, mode: 0o700 });
    if ((await readdir(path)).length > 0) throw new Fault("failed", `image volumes path ${path} is not empty`);
  });
}

/** Puts in front of what goes wrong the word by which the kubelet knows it. */
async function forImageVolume<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = error instanceof Fault ? error.code : "failed";
    throw new Fault(code, `ImageVolumeMountFailed: ${reasonOf(error)}`, { cause: error });
  }
}
