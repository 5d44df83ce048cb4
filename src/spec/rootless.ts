import type { LinuxResources, Mount, RuntimeSpec } from "../oci/index.ts";

/**
 * A built spec as a daemon without root can run it (`_CRIO_ROOTLESS`; reference: cri.md 3, step 38): without what takes privileges,
 * and without limits of cgroup v2 controllers that are not delegated to it. The warnings name those limits.
 */
export function rootlessSpec(
  spec: RuntimeSpec,
  { controllers }: { readonly controllers: ReadonlySet<string> },
): { readonly spec: RuntimeSpec; readonly warnings: readonly string[] } {
  const { linux = {}, process } = spec;
  const { resources, warnings } = delegated(linux.resources ?? {}, controllers);
  const ownsNetwork = linux.namespaces?.some(({ type }) => type === "network") ?? false;
  const {
    oomScoreAdj: _oomScoreAdj,
    apparmorProfile: _apparmorProfile,
    ...plain
  } = process ?? { args: [], cwd: "/", user: { uid: 0, gid: 0 } };
  return {
    spec: {
      ...spec,
      ...(process === undefined ? {} : { process: plain }),
      mounts: (spec.mounts ?? []).map(withoutGid).map((mount) => (ownsNetwork ? mount : hostSys(mount))),
      linux: { ...linux, resources, cgroupsPath: "" },
    },
    warnings,
  };
}

/** Which controller each part of the resources needs. */
const controllerOf = {
  memory: "memory",
  cpu: "cpu",
  pids: "pids",
  blockIO: "io",
  hugepageLimits: "hugetlb",
} as const satisfies Partial<Record<keyof LinuxResources, string>>;

function delegated(
  { devices: _devices, ...resources }: LinuxResources,
  controllers: ReadonlySet<string>,
): { readonly resources: LinuxResources; readonly warnings: readonly string[] } {
  const missing = (Object.keys(controllerOf) as (keyof typeof controllerOf)[]).filter(
    (part) => resources[part] !== undefined && !controllers.has(controllerOf[part]),
  );
  const kept = Object.entries(resources).filter(([part]) => !missing.some((name) => name === part));
  return {
    // The cast: entries of resources, fewer of them.
    resources: Object.fromEntries(kept) as LinuxResources,
    warnings: missing.map(
      (part) => `cgroup controller ${controllerOf[part]} is not delegated: its limits are left out`,
    ),
  };
}

/** The group is not mapped in a user namespace of one's own. */
function withoutGid(mount: Mount): Mount {
  if (mount.options === undefined) return mount;
  return { ...mount, options: mount.options.filter((option) => !option.startsWith("gid=")) };
}

/** Without a network namespace of its own it may not mount sysfs. */
function hostSys(mount: Mount): Mount {
  if (mount.destination !== "/sys") return mount;
  return { destination: "/sys", type: "bind", source: "/sys", options: ["ro", "rbind"] };
}
