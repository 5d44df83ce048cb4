import type { CgroupPath } from "./path.ts";

/** One tree of cgroups as it is mounted here. */
export interface Hierarchy {
  /** `unified` is that of cgroup v2, which a hybrid host has beside those of v1. */
  readonly kind: "v1" | "unified";
  /** The controllers that can be used in it. Empty for a named one (`name=systemd`). */
  readonly controllers: readonly string[];
  readonly mountPoint: string;
  /** The cgroup that the mount point shows, from the root of our cgroup namespace: `/` unless part of the tree was bound there. */
  readonly mountRoot: string;
  /** The cgroup of this process in it; undefined when the mount does not show it. */
  readonly own: CgroupPath | undefined;
}

/** What this machine offers, found once at the start. */
export interface CgroupHost {
  /** 1 also for a hybrid host: its controllers are those of v1. */
  readonly version: 1 | 2;
  readonly hierarchies: readonly Hierarchy[];
  /** The controllers that containers can have limits by. */
  readonly controllers: ReadonlySet<string>;
  /** Whether swap can be limited. */
  readonly swapAccounting: boolean;
  /** The sizes of huge pages as the hugetlb controller spells them: `2MB`, `1GB`. */
  readonly hugePageSizes: readonly string[];
}

/** The directory of a cgroup in a hierarchy. */
export function directoryOf(hierarchy: Pick<Hierarchy, "mountPoint">, path: CgroupPath): string {
  return path === "/" ? hierarchy.mountPoint : `${hierarchy.mountPoint}${path}`;
}

/** The hierarchy whose cgroups have the files of `controller` (`core` for `cgroup.*` of v2). */
export function hierarchyOf(
  host: Pick<CgroupHost, "version" | "hierarchies">,
  controller: string,
): Hierarchy | undefined {
  if (host.version === 2) return host.hierarchies.find(({ kind }) => kind === "unified");
  return host.hierarchies.find(({ kind, controllers }) => kind === "v1" && controllers.includes(controller));
}
