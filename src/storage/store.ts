import type { DiskUsage } from "../host/index.ts";
import type { Digest } from "../oci/index.ts";
import type { CheckOptions, StoreReport } from "./check.ts";
import type { MountOptions, NewContainerOptions } from "./containers.ts";
import type { ImageData, NewImageOptions, RemoveImageOptions } from "./images.ts";
import type { UnmountOptions } from "./layer-mounts.ts";
import type { CommitOptions, StagedLayer, StageOptions } from "./layers.ts";
import type { MappedMount } from "./overlay/overlay-driver.ts";
import type { StoredContainer } from "./records/container-record.ts";
import type { StoredImage } from "./records/image-record.ts";
import type { StoredLayer } from "./records/layer-record.ts";
import type { RepairOptions, RepairReport } from "./repair.ts";

export type {
  CheckOptions,
  CommitOptions,
  ImageData,
  MappedMount,
  MountOptions,
  NewContainerOptions,
  NewImageOptions,
  RemoveImageOptions,
  RepairOptions,
  RepairReport,
  StagedLayer,
  StageOptions,
  StoreReport,
  UnmountOptions,
};

/**
 * Images, their layers, and containers' root file systems, in the layout of containers/storage's overlay driver, shared
 * with every other program that knows it. What others change is seen at the next call.
 *
 * Anything may reject with Fault("deadline") when another program holds a lock for too long, and with Fault("corrupt")
 * when the store's files are damaged. What is said of an id holds for full ids; `find…` take names and beginnings too.
 */
export interface Store {
  readonly graphRoot: string;
  readonly runRoot: string;
  /** Where the data of images is, `overlay-images`. */
  readonly imagesDir: string;
  readonly containersDir: string;

  /** All images, in no order that means anything. */
  images(): Promise<readonly StoredImage[]>;
  image(id: string): Promise<StoredImage | undefined>;
  /** By id, by name, or by the beginning of an id if no other begins so. */
  findImage(text: string): Promise<StoredImage | undefined>;
  /** A data item of an image, of at most 64 MiB; undefined when the image or the item is not there. */
  imageData(id: string, key: string): Promise<Buffer | undefined>;
  /** The image's config. Rejects with Fault("not-found") without the image, Fault("corrupt") without the config. */
  imageConfig(id: string): Promise<Buffer>;
  /** The image's manifest, the one for this platform where it was pulled from a list. */
  imageManifest(id: string): Promise<Buffer | undefined>;
  /** The image's signatures, in the form of `signatureBlob`, by the digest of the manifest that they are for. Empty when it is not there. */
  imageSignatures(id: string): Promise<ReadonlyMap<string, readonly Buffer[]>>;
  /** Bytes of all layers uncompressed, data items and signatures, as CRI-O counts. Rejects with Fault("corrupt") when a layer is missing. */
  imageSize(id: string): Promise<bigint>;
  /** The image's layers, topmost first. Rejects as `imageSize`. */
  layersOf(imageId: string): Promise<readonly StoredLayer[]>;
  /**
   * Records an image; its layers must be in the store. One that is there already gets the names and data added.
   * Other images lose the names given. Rejects with Fault("exists") when it is there with other layers.
   */
  createImage(options: NewImageOptions): Promise<StoredImage>;
  /** The image has these names and no others from now on; other images lose them. Rejects with Fault("not-found"). */
  setImageNames(id: string, names: readonly string[]): Promise<void>;
  /**
   * Removes an image and those of its layers that nothing else needs or `isWanted` names, whose ids it resolves with. An unknown image is
   * fine. Rejects with Fault("precondition", "image used by <container id>: …") while a container is made from it.
   */
  removeImage(id: string, options?: RemoveImageOptions): Promise<readonly string[]>;

  /** The id of a layer with this content on top of `parent`; undefined for a base layer. Pure. */
  layerIdOf(parent: string | undefined, diffId: Digest): string;
  /** Whether the layer is in the store, complete. */
  hasLayer(id: string): Promise<boolean>;
  layer(id: string): Promise<StoredLayer | undefined>;
  /**
   * Unpacks a layer beside the store while its bytes arrive (plain, gzip or zstd, found out by looking), in a confined
   * thread; two at a time, others wait. The pieces are taken over, the source must not use
   * them again. The caller compares the digests, then commits or discards it.
   * Rejects with a Fault that names the entry (corrupt, invalid, exhausted, unimplemented), with what `blob` throws, or
   * with the signal's reason; nothing of it is left then.
   */
  stageLayer(blob: AsyncIterable<Uint8Array>, options: StageOptions): Promise<StagedLayer>;
  /**
   * Puts a staged layer into the store, and resolves with true. One with this id that is there already stays, this one is discarded,
   * and it resolves with false. Rejects with Fault("not-found") without the parent; the staged layer is then the caller's to discard.
   */
  commitLayer(layer: StagedLayer, options: CommitOptions): Promise<boolean>;
  /** Removes those of these layers that no image, container or other layer needs, and resolves with their ids. Unknown ones are fine. */
  removeUnusedLayers(ids: readonly string[]): Promise<readonly string[]>;

  /**
   * Mounts a layer with all below it read-only, as containers/storage mounts images, and counts that; resolves with its path. It is mounted
   * once, however often it is asked for. Rejects with Fault("not-found").
   */
  mountLayer(id: string): Promise<string>;
  /**
   * Mounts a layer with all below it read-only once more, below `directory`, and shown with the owners that a user namespace gives them; resolves
   * with its path. Not counted: it goes with the directory, when that is a container's. Rejects with Fault("not-found").
   */
  mountLayerMapped(id: string, mount: MappedMount): Promise<string>;
  /** Gives back one mount of a layer, the last of which unmounts it. Fine when it is not mounted, or not there. */
  unmountLayer(id: string): Promise<void>;

  /** All containers, also those of other programs. */
  containers(): Promise<readonly StoredContainer[]>;
  container(id: string): Promise<StoredContainer | undefined>;
  /** By id, by name, or by the beginning of an id if no other begins so. */
  findContainer(text: string): Promise<StoredContainer | undefined>;
  /**
   * Records a container and makes its writable layer and directories. Rejects with Fault("exists") when the id or a name
   * is taken, Fault("not-found") without the image; nothing is left then.
   */
  createContainer(options: NewContainerOptions): Promise<StoredContainer>;
  /** Rejects with Fault("not-found"). */
  setContainerMetadata(id: string, metadata: string): Promise<void>;
  /**
   * Mounts the container's root file system and counts that; resolves with its path. Rejects with Fault("not-found"), and with
   * Fault("precondition") when a container with mappings is mounted without its user namespace, or the other way round.
   */
  mountContainer(id: string, options?: MountOptions): Promise<string>;
  /** Unmounts it, however often it was mounted, unless `countDown`. Fine when it is not mounted, or not there. */
  unmountContainer(id: string, options?: UnmountOptions): Promise<void>;
  /** Unmounts and removes all that belongs to a container, also to one whose creation was cut off. Idempotent; on failure the record stays. */
  deleteContainer(id: string): Promise<void>;
  /** The directory for what a container keeps until it is removed, made by `createContainer`. Pure; throws Fault("invalid") for what is no id. */
  containerDir(id: string): string;
  /** The same for what it keeps until the next boot. */
  containerRunDir(id: string): string;
  /** What a container has written to its root file system. Rejects with Fault("not-found"). */
  containerUsage(id: string, signal?: AbortSignal): Promise<DiskUsage>;

  /** Looks for damage; changes nothing. Others may use the store meanwhile. Rejects with the signal's reason. */
  check(options: CheckOptions): Promise<StoreReport>;
  /**
   * Removes what a check with the same options has found damaged, topmost first: containers as far as `removesContainer` says so, images, layers. A link
   * that is all that is missing is put back. What cannot be removed is told, and stays.
   */
  repair(report: StoreReport, options: RepairOptions): Promise<RepairReport>;

  /** Ends what is under way, which fails; takes the driver's mount away unless a container is mounted. */
  close(): Promise<void>;
}
