import { byDepth, withMounts } from "./mount-list.ts";
import type { PlannedMounts } from "./mount-request.ts";
import type { HostFacts, PodFiles, ReadyMount } from "./plan.ts";
import { withoutReadonly } from "./privileged.ts";
import { withSystemdCgroups, withSystemdTmpfs } from "./systemd-mode.ts";
import { templateMounts, writableTmpfsMounts } from "./template.ts";

/** Where the mounts of a container come from. */
export interface ContainerMountsPlan {
  /** Of `planMounts`. */
  readonly requested: PlannedMounts;
  /** `read_only` of the configuration: /run, /tmp and /var/tmp become tmpfs. */
  readonly tmpfsForReadonly: boolean;
  /** The pod may change its cgroup v2 hierarchy (annotation). */
  readonly cgroupWritable: boolean;
  readonly podFiles: PodFiles;
  /** Files made for this container, such as passwd and group. */
  readonly generated: readonly ReadyMount[];
  /** Volumes of the image, secrets, FIPS files: sorted in among the request's. */
  readonly volumes: readonly ReadyMount[];
  /** Replaces what was there before, such as localtime. */
  readonly last: readonly ReadyMount[];
}

/** What of the container decides about its mounts. */
export interface MountSetting {
  readonly host: Pick<HostFacts, "cgroupVersion">;
  readonly privileged: boolean;
  readonly readonlyRootfs: boolean;
  readonly hostNetwork: boolean;
  readonly hasUserNamespace: boolean;
  readonly runsSystemd: boolean;
}

/**
 * All mounts of a container in the order of mounting, each destination once (reference: cri.md 3, steps 4, 8, 17, 20, 21, 29
 * and 30): template, cgroup, images, sysfs, the pod's files, files made for the container, the host paths of the request by depth.
 * The tmpfs that systemd wants comes before what is mounted inside it.
 */
export function containerMounts(plan: ContainerMountsPlan, setting: MountSetting): readonly ReadyMount[] {
  const { requested } = plan;
  let mounts = templateFor(plan);
  if (setting.runsSystemd) mounts = withSystemdTmpfs(mounts);
  mounts = withMounts(mounts, defaultCgroupMount(plan, setting));
  mounts = withMounts(mounts, requested.images);
  mounts = withMounts(mounts, sysMounts(setting, requested));
  if (setting.runsSystemd) mounts = withSystemdCgroups(mounts, setting.host);
  mounts = withMounts(mounts, podFileMounts(plan, setting));
  if (setting.privileged) mounts = mounts.map(withoutReadonly);
  mounts = withMounts(mounts, plan.generated);
  mounts = withMounts(mounts, byDepth([...requested.binds, ...plan.volumes.map(asBind)]));
  return withMounts(mounts, plan.last);
}

/** A bind of one file or directory, as those of the pod and for the container are. */
export function fileMount(
  destination: string,
  {
    source,
    access,
    confined = false,
  }: { readonly source: string; readonly access: "ro" | "rw"; readonly confined?: boolean },
): ReadyMount {
  const options = [access, "bind", ...(confined ? ["nodev", "nosuid", "noexec"] : [])];
  return { destination, type: "bind", source, options };
}

/** The template without what the request mounts itself, or mounts over. */
function templateFor({ requested, tmpfsForReadonly }: ContainerMountsPlan): readonly ReadyMount[] {
  const { destinations } = requested;
  const isReplaced = ({ destination }: ReadyMount) =>
    destinations.has(destination) ||
    ["/dev", "/sys"].some((parent) => destinations.has(parent) && destination.startsWith(`${parent}/`));
  return [...templateMounts, ...(tmpfsForReadonly ? writableTmpfsMounts() : [])].filter((mount) => !isReplaced(mount));
}

function defaultCgroupMount(
  { requested, cgroupWritable }: ContainerMountsPlan,
  { host }: MountSetting,
): readonly ReadyMount[] {
  if (requested.destinations.has("/sys")) return [];
  const access = cgroupWritable && host.cgroupVersion === 2 ? "rw" : "ro";
  return [cgroupMount(["nosuid", "noexec", "nodev", "relatime", access])];
}

function sysMounts(setting: MountSetting, { destinations }: PlannedMounts): readonly ReadyMount[] {
  const basics = ["nosuid", "noexec", "nodev"];
  const forHostNetwork = setting.hostNetwork && !destinations.has("/sys");
  return [
    // A user namespace that does not own the network namespace may not mount sysfs: it gets the host's.
    ...(forHostNetwork && setting.hasUserNamespace
      ? [{ destination: "/sys", type: "bind", source: "/sys", options: [...basics, "rro", "rbind"] }]
      : []),
    ...(forHostNetwork && !setting.hasUserNamespace
      ? [sysfsMount([...basics, "ro"]), cgroupMount([...basics, "relatime", "ro"])]
      : []),
    ...(setting.privileged
      ? [sysfsMount([...basics, "rw", "rslave"]), cgroupMount([...basics, "rw", "relatime", "rslave"])]
      : []),
  ];
}

function podFileMounts({ podFiles, requested }: ContainerMountsPlan, setting: MountSetting): readonly ReadyMount[] {
  const access = setting.readonlyRootfs ? "ro" : "rw";
  return [
    fileMount("/dev/shm", { source: podFiles.shmPath, access: "rw" }),
    fileMount("/etc/resolv.conf", { source: podFiles.resolvPath, access, confined: true }),
    fileMount("/etc/hostname", { source: podFiles.hostnamePath, access }),
    fileMount("/run/.containerenv", { source: podFiles.containerEnvPath, access }),
    ...(setting.hostNetwork && !requested.destinations.has("/etc/hosts")
      ? [fileMount("/etc/hosts", { source: "/etc/hosts", access })]
      : []),
  ];
}

function asBind(mount: ReadyMount): ReadyMount {
  return mount.options.includes("bind") ? mount : { ...mount, type: "bind", options: [...mount.options, "bind"] };
}

function sysfsMount(options: readonly string[]): ReadyMount {
  return { destination: "/sys", type: "sysfs", source: "sysfs", options };
}

function cgroupMount(options: readonly string[]): ReadyMount {
  return { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options };
}
