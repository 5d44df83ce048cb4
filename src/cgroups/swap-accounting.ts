import { readdir } from "node:fs/promises";
import { exists } from "./files.ts";
import { type CgroupHost, directoryOf, hierarchyOf } from "./hierarchy.ts";

/** Slices of a node are few; a root with more children than this is looked at no further. */
const maxChildren = 64;

/**
 * Whether swap can be limited. The kernel says so only by the files it shows: on v2 not in the root cgroup,
 * and only where the memory controller is enabled.
 */
export async function hasSwapAccounting(host: Pick<CgroupHost, "version" | "hierarchies">): Promise<boolean> {
  const hierarchy = hierarchyOf(host, "memory");
  if (hierarchy === undefined) return false;
  if (host.version === 1) return exists(`${hierarchy.mountPoint}/memory.memsw.limit_in_bytes`);
  const places = [hierarchy.mountPoint]; // not the real root when we are in a cgroup namespace
  if (hierarchy.own !== undefined) places.push(directoryOf(hierarchy, hierarchy.own));
  const entries = await readdir(hierarchy.mountPoint, { withFileTypes: true });
  const children = entries.filter((entry) => entry.isDirectory()).slice(0, maxChildren);
  places.push(...children.map(({ name }) => `${hierarchy.mountPoint}/${name}`));
  for (const place of places) {
    if (await exists(`${place}/memory.swap.max`)) return true;
  }
  return false;
}
