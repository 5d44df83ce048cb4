import { readdir } from "node:fs/promises";
import { Fault } from "../base/index.ts";
import { type MountEntry, readBounded, readMountTable } from "../host/index.ts";
import { readText } from "./files.ts";
import type { CgroupHost, Hierarchy } from "./hierarchy.ts";
import { parseCgroupPath } from "./path.ts";
import { type Membership, parseProcCgroup, pathInMount } from "./proc-cgroup.ts";
import { hasSwapAccounting } from "./swap-accounting.ts";
import { visibleMounts } from "./visible-mounts.ts";

const usualRoot = "/sys/fs/cgroup";

/**
 * Finds out which cgroups this machine has. Works inside a cgroup namespace and where hierarchies are mounted over others.
 * Rejects with Fault("precondition") when no cgroup file system is mounted.
 */
export async function detectCgroups(): Promise<CgroupHost> {
  const memberships = parseProcCgroup((await readBounded("/proc/self/cgroup", 1024 * 1024)).toString("utf8"));
  const { version, hierarchies: found } = hierarchiesFrom(await readMountTable(), memberships);
  const hierarchies = await Promise.all(found.map((hierarchy) => withUnifiedControllers(hierarchy)));
  const usable = hierarchies.filter(({ kind }) => kind === (version === 2 ? "unified" : "v1"));
  const host = { version, hierarchies, controllers: new Set(usable.flatMap(({ controllers }) => controllers)) };
  const [swapAccounting, hugePageSizes] = await Promise.all([hasSwapAccounting(host), readHugePageSizes()]);
  return { ...host, swapAccounting, hugePageSizes };
}

/**
 * The hierarchies among the visible mounts, and the version: 2 when the usual place has the unified one, as every OCI
 * runtime decides, or when there is no other. The controllers of the unified one are still to be read.
 */
export function hierarchiesFrom(
  table: readonly MountEntry[],
  memberships: readonly Membership[],
): Pick<CgroupHost, "version" | "hierarchies"> {
  const visible = visibleMounts(table);
  const v1 = memberships
    .filter(({ controllers }) => controllers.length > 0)
    .flatMap((one) => v1Hierarchy(one, visible));
  const unified = unifiedHierarchy(memberships, visible);
  const all = [...v1, ...unified];
  if (all.length === 0) throw new Fault("precondition", `no cgroup file system is mounted (at ${usualRoot}, usually)`);
  const controlled = v1.some(({ controllers }) => controllers.length > 0);
  const atUsualRoot = unified.some(({ mountPoint }) => mountPoint === usualRoot);
  if (unified.length > 0 && (atUsualRoot || !controlled)) return { version: 2, hierarchies: unified };
  return { version: 1, hierarchies: all };
}

function v1Hierarchy({ controllers, path }: Membership, visible: readonly MountEntry[]): readonly Hierarchy[] {
  const mount = bestOf(
    visible.filter(
      ({ fsType, superOptions }) => fsType === "cgroup" && controllers.every((name) => superOptions.includes(name)),
    ),
  );
  if (mount === undefined) return [];
  const { mountPoint, root: mountRoot } = mount;
  const named = controllers.some((name) => name.startsWith("name="));
  return [{ kind: "v1", controllers: named ? [] : controllers, mountPoint, mountRoot, own: ownPath(path, mount) }];
}

function unifiedHierarchy(memberships: readonly Membership[], visible: readonly MountEntry[]): readonly Hierarchy[] {
  const mount = bestOf(visible.filter(({ fsType }) => fsType === "cgroup2"));
  if (mount === undefined) return [];
  const own = memberships.find(({ controllers }) => controllers.length === 0);
  const path = own === undefined ? undefined : ownPath(own.path, mount);
  return [{ kind: "unified", controllers: [], mountPoint: mount.mountPoint, mountRoot: mount.root, own: path }];
}

/** Of several mounts of one hierarchy (containers bind parts of them elsewhere), the one in the usual place. */
function bestOf(mounts: readonly MountEntry[]): MountEntry | undefined {
  return (
    mounts.find(({ mountPoint }) => mountPoint === usualRoot) ??
    mounts.find(({ mountPoint }) => mountPoint.startsWith(`${usualRoot}/`)) ??
    mounts[0]
  );
}

function ownPath(path: string, mount: MountEntry) {
  const shown = pathInMount(path, mount.root);
  return shown === undefined ? undefined : parseCgroupPath(shown);
}

async function withUnifiedControllers(hierarchy: Hierarchy): Promise<Hierarchy> {
  if (hierarchy.kind === "v1") return hierarchy;
  const text = (await readText(`${hierarchy.mountPoint}/cgroup.controllers`)) ?? "";
  return { ...hierarchy, controllers: text.split(/\s+/).filter((name) => name !== "") };
}

async function readHugePageSizes(): Promise<readonly string[]> {
  const names = await readdir("/sys/kernel/mm/hugepages").catch(() => []); // a kernel without huge pages
  return names.flatMap((name) => hugePageSizeFrom(name) ?? []);
}

/** `hugepages-2048kB` is `2MB` to the hugetlb controller. */
export function hugePageSizeFrom(directory: string): string | undefined {
  const [, digits] = /^hugepages-(\d{1,15})kB$/.exec(directory) ?? [];
  if (digits === undefined) return undefined;
  const units = ["KB", "MB", "GB"] as const;
  let size = Number(digits);
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size = Math.floor(size / 1024);
    unit += 1;
  }
  return `${size}${units[unit]}`;
}
