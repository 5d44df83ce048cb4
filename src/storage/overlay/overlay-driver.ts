import { access, chmod, chown, mkdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, Fault, type Logger } from "../../base/index.ts";
import { bindMount, mountEntryOf, mountOverlay, setPropagation, unmount, writeFileAtomic } from "../../host/index.ts";
import type { DriverOptions } from "../driver-options.ts";
import type { StorePaths } from "../paths.ts";
import type { TempDir } from "../temp-dir.ts";
import { detachMountsBelow } from "./detach-mounts.ts";
import { openEntrance } from "./entrance.ts";
import { checkOverlay, type FeatureProbe, supportsVolatile } from "./features.ts";
import {
  baseRootAttributes,
  fillLayerDirectory,
  inheritedRootAttributes,
  setRootAttributes,
  tieLayer,
  untieLayer,
} from "./layer-directory.ts";
import { lowerDirectories, readLower } from "./layer-links.ts";
import { type LayerOwners, mappedAttributes, withMappedLayers } from "./mapped-layers.ts";

export interface LayerMountOptions {
  readonly volatile: boolean;
  /** SELinux label of everything in the mount; `""` for none. */
  readonly label: string;
  /** In place of the store's. */
  readonly mountOptions: readonly string[];
  /** Where the user namespace is pinned whose root owns the layer; the layers below are mapped into it. */
  readonly userNamespace: string | undefined;
}

/** A mount of layers for one user namespace. */
export interface MappedMount {
  /** Where it is made, and what it needs meanwhile. */
  readonly directory: string;
  /** Where the user namespace is pinned. */
  readonly userNamespace: string;
}

/**
 * The directories and mounts of layers, in the layout of containers/storage's overlay driver (reference: ondisk.md 2.4).
 * Knows no records: callers hold the lock of the layers while they change something here.
 */
export class OverlayDriver {
  readonly #home: string;
  readonly #probe: FeatureProbe;
  readonly #options: DriverOptions;
  #volatile: Promise<boolean> | undefined;

  constructor(paths: StorePaths, options: DriverOptions, log: Logger) {
    this.#home = paths.driverHome;
    this.#options = options;
    this.#probe = { home: paths.driverHome, runHome: paths.driverRunHome, log };
  }

  /** Makes the driver's directories. Rejects when overlays cannot be mounted there. Under the lock of the whole store. */
  async open(): Promise<void> {
    await mkdir(this.#home, { recursive: true, mode: 0o700 });
    await mkdir(this.#probe.runHome, { recursive: true, mode: 0o700 });
    const links = join(this.#home, "l");
    await mkdir(links, { recursive: true });
    await chmod(links, 0o755);
    if (!this.#options.skipMountHome) await this.#makePrivate();
    await checkOverlay(this.#probe);
    await writeFileAtomic(join(this.#home, ".has-mount-program"), "false", { mode: 0o600, durable: false });
  }

  /** Takes the private mount of the driver's directory away again. Rejects with Fault("precondition") while something is mounted in it. */
  async close(): Promise<void> {
    const entry = this.#options.skipMountHome ? undefined : await mountEntryOf(this.#home);
    // A whole file system that the administrator has mounted here shows its root, our bind mount this directory.
    // Not detached: another program may be mounting a container in it at this moment, and would lose that mount.
    if (entry !== undefined && entry.root !== "/") unmount(this.#home);
  }

  /** Where the store's temporary directories for layers are. */
  get tempDirs(): string {
    return join(this.#home, "tempdirs");
  }

  layerDirectory(id: string): string {
    return join(this.#home, id);
  }

  mountPoint(id: string): string {
    return join(this.#home, id, "merged");
  }

  /** What a layer adds to those below it; for a container, what it has written. */
  diffDirectory(id: string): string {
    return join(this.#home, id, "diff");
  }

  async exists(id: string): Promise<boolean> {
    return access(this.layerDirectory(id)).then(
      () => true,
      () => false,
    );
  }

  /** Makes an empty layer on top of `parent`, for a container with `owners` where it has a user namespace. */
  async create(id: string, parent: string | undefined, owners?: LayerOwners): Promise<void> {
    const root = mappedAttributes(await inheritedRootAttributes(this.#home, parent), owners);
    const directory = this.layerDirectory(id);
    await mkdir(directory, { mode: 0o700 });
    await fillLayerDirectory(directory, root);
    await tieLayer(this.#home, directory, id, parent);
    if (owners !== undefined) await openEntrance(directory, mappedAttributes(baseRootAttributes, owners).gid);
  }

  /** Makes the layer `id` of a directory that was filled elsewhere on this file system. */
  async adopt(
    directory: string,
    id: string,
    { parent, hasRootEntry }: { readonly parent: string | undefined; readonly hasRootEntry: boolean },
  ): Promise<void> {
    if (!hasRootEntry) await setRootAttributes(directory, await inheritedRootAttributes(this.#home, parent));
    await tieLayer(this.#home, directory, id, parent);
    await rename(directory, this.layerDirectory(id));
  }

  /** Moves a layer out of the store, with its link; one that is not there is fine. */
  async discard(id: string, trash: TempDir): Promise<void> {
    const directory = this.layerDirectory(id);
    await detachMountsBelow(directory);
    await untieLayer(this.#home, directory);
    await trash.take(directory);
  }

  /** Mounts the layer read-write on top of all below it, at its mount point. */
  async mount(id: string, options: LayerMountOptions): Promise<void> {
    // Again: other programs take it away when they end and nothing is mounted, and put theirs on top of our mounts if it is not there.
    if (!this.#options.skipMountHome) await this.#makePrivate();
    const directory = this.layerDirectory(id);
    const lowers = await this.#lowersOf(directory);
    const work = join(directory, "work");
    const target = this.mountPoint(id);
    await mkdir(target, { recursive: true, mode: 0o700 });
    // The kernel's mark of an unclean volatile mount, which would refuse the next one: the data was given up with it.
    await rm(join(work, "work", "incompat", "volatile"), { recursive: true, force: true });
    const plan = { target, upper: join(directory, "diff"), work, options: await this.#optionsOf(options) };
    if (options.userNamespace === undefined) mountOverlay({ ...plan, lowers });
    else {
      await withMappedLayers(directory, lowers, options.userNamespace, (mapped) =>
        mountOverlay({ ...plan, lowers: mapped }),
      );
    }
  }

  /** Mounts the layer read-only with all below it, at its mount point. */
  async mountReadonly(id: string): Promise<void> {
    if (!this.#options.skipMountHome) await this.#makePrivate();
    const target = this.mountPoint(id);
    await mkdir(target, { recursive: true, mode: 0o700 });
    const lowers = [this.diffDirectory(id), ...(await this.#lowersOf(this.layerDirectory(id)))];
    mountOverlay({ target, lowers, readonly: true, options: ["nodev", "nosuid", "noexec"] });
  }

  /**
   * Mounts the layer read-only with all below it at `<directory>/merged`, shown with the owners that the pinned user namespace gives them.
   * Taking it away is for whoever owns the directory.
   */
  async mountMapped(id: string, { directory, userNamespace }: MappedMount): Promise<string> {
    const target = join(directory, "merged");
    await mkdir(target, { recursive: true, mode: 0o700 });
    const lowers = [this.diffDirectory(id), ...(await this.#lowersOf(this.layerDirectory(id)))];
    // Not noexec, as a mount for all would be: in a user namespace nobody could take that away again.
    await withMappedLayers(directory, lowers, userNamespace, (mapped) =>
      mountOverlay({ target, lowers: mapped, readonly: true, options: ["nodev", "nosuid"] }),
    );
    return target;
  }

  /** Takes the mount of a layer away, whoever uses it still; one that is not there is fine. */
  async unmount(id: string): Promise<void> {
    const target = this.mountPoint(id);
    while (unmount(target, { detach: true }));
    await this.#freshMountPoint(id, target);
  }

  /** Whether the layer is mounted at its mount point, as far as this mount namespace shows: an overlay is a device of its own. */
  async isMounted(id: string): Promise<boolean> {
    try {
      const [around, inside] = await Promise.all([stat(this.layerDirectory(id)), stat(this.mountPoint(id))]);
      return around.dev !== inside.dev;
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return false;
      throw error;
    }
  }

  /** What is below a layer; an empty directory for a base layer. */
  async #lowersOf(directory: string): Promise<readonly string[]> {
    const lower = await readLower(directory);
    return lower === undefined ? [join(directory, "empty")] : await lowerDirectories(this.#home, lower);
  }

  /** A new directory in the place of the mount point: other mount namespaces that still have the mount lose it with the old one. */
  async #freshMountPoint(id: string, target: string): Promise<void> {
    const fresh = join(this.layerDirectory(id), "merged.1");
    try {
      const { uid, gid } = await stat(target);
      await mkdir(fresh, { recursive: true, mode: 0o700 });
      await chown(fresh, uid, gid);
      await rename(fresh, target);
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw error;
    }
  }

  async #optionsOf(options: LayerMountOptions): Promise<readonly string[]> {
    const words = [...(options.mountOptions.length > 0 ? options.mountOptions : this.#options.mountOptions)];
    if (options.volatile && !words.includes("volatile") && (await this.#supportsVolatile())) words.push("volatile");
    if (options.label !== "") {
      if (options.label.includes('"')) throw new Fault("invalid", "an SELinux label with a quotation mark in it");
      words.push(`context="${options.label}"`);
    }
    return words;
  }

  #supportsVolatile(): Promise<boolean> {
    this.#volatile ??= supportsVolatile(this.#probe);
    return this.#volatile;
  }

  async #makePrivate(): Promise<void> {
    const entry = await mountEntryOf(this.#home);
    if (entry === undefined) bindMount(this.#home, this.#home, { recursive: true }); // with what is mounted in it
    if (entry?.propagation.shared !== undefined || entry === undefined) setPropagation(this.#home, "private");
  }
}
