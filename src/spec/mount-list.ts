import type { Mount } from "../oci/index.ts";
import { depthOf } from "./paths.ts";

/** The list with `mount` at its end and nothing else at that destination: the runtime mounts in order, so the last one counts. */
export function withMount<T extends Mount>(mounts: readonly T[], mount: T): readonly T[] {
  return [...mounts.filter(({ destination }) => destination !== mount.destination), mount];
}

/** `withMount` for each in turn. */
export function withMounts<T extends Mount>(mounts: readonly T[], added: readonly T[]): readonly T[] {
  return added.reduce<readonly T[]>(withMount, mounts);
}

/** Whether something is mounted at exactly this place. */
export function hasMountAt(mounts: readonly Pick<Mount, "destination">[], destination: string): boolean {
  return mounts.some((mount) => mount.destination === destination);
}

/** Parents before what is mounted inside them; equal depths stay in order. */
export function byDepth<T extends Mount>(mounts: readonly T[]): readonly T[] {
  return mounts.toSorted((a, b) => depthOf(a.destination) - depthOf(b.destination));
}
