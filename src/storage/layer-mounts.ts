import { Fault } from "../base/index.ts";
import type { MappedMount } from "./overlay/overlay-driver.ts";
import type { StoredLayer } from "./records/layer-record.ts";
import type { RecordView } from "./records/snapshot.ts";
import type { StoreParts } from "./store-parts.ts";

/** Mounts a layer unless it is mounted already, and counts that; resolves with its path. The caller holds the lock of the layers. */
export async function mountCounted(
  { mounts, driver }: StoreParts,
  layerId: string,
  mount: () => Promise<void>,
): Promise<string> {
  return mounts.write(async (draft) => {
    const path = driver.mountPoint(layerId);
    const isMounted = await driver.isMounted(layerId);
    // A count without a mount is from before a crash or a reboot.
    const count = isMounted ? (draft.get(layerId)?.count ?? 0) : 0;
    if (!isMounted) await mount();
    draft.set({ id: layerId, path, count: count + 1 });
    try {
      await draft.save();
    } catch (error) {
      if (!isMounted) await driver.unmount(layerId); // a full disk: nobody would know of the mount
      throw error;
    }
    return path;
  });
}

export interface UnmountOptions {
  /** Only give back one mount of ours: it stays mounted while others count on it. */
  readonly countDown?: boolean;
}

/** Unmounts a layer; fine when it is not mounted. The caller holds the lock of the layers. */
export async function unmountCounted(
  { mounts, driver }: StoreParts,
  layerId: string,
  { countDown = false }: UnmountOptions,
): Promise<void> {
  await mounts.write(async (draft) => {
    const mount = draft.get(layerId);
    const isMounted = await driver.isMounted(layerId);
    if (mount === undefined && !isMounted) return;
    const left = countDown && isMounted ? (mount?.count ?? 1) - 1 : 0;
    if (left <= 0 && isMounted) await driver.unmount(layerId);
    if (mount === undefined && left <= 0) return;
    draft.set({ id: layerId, path: driver.mountPoint(layerId), count: Math.max(0, left) });
    await draft.save();
  });
}

/** See `Store.mountLayer`. */
export async function mountLayer(parts: StoreParts, id: string): Promise<string> {
  return parts.layers.read((layers) => {
    requireLayer(layers, id);
    return mountCounted(parts, id, () => parts.driver.mountReadonly(id));
  });
}

/** See `Store.mountLayerMapped`. */
export async function mountLayerMapped(parts: StoreParts, id: string, mount: MappedMount): Promise<string> {
  return parts.layers.read((layers) => {
    requireLayer(layers, id);
    return parts.driver.mountMapped(id, mount);
  });
}

function requireLayer(layers: RecordView<StoredLayer>, id: string): void {
  if (layers.get(id)?.incomplete !== false) throw new Fault("not-found", `layer ${id} is not in the store`);
}

/** See `Store.unmountLayer`. */
export async function unmountLayer(parts: StoreParts, id: string): Promise<void> {
  await parts.layers.read(async (layers) => {
    if (layers.get(id) !== undefined) await unmountCounted(parts, id, { countDown: true });
  });
}
