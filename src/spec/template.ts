import type { LinuxDeviceRule } from "../oci/index.ts";
import type { ReadyMount } from "./plan.ts";

/** What every container starts from (reference: cri.md 3.1). */
export const templateEnv = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"] as const;

export const templateMounts: readonly ReadyMount[] = [
  { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] },
  {
    destination: "/dev",
    type: "tmpfs",
    source: "tmpfs",
    options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
  },
  {
    destination: "/dev/pts",
    type: "devpts",
    source: "devpts",
    options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
  },
  {
    destination: "/dev/shm",
    type: "tmpfs",
    source: "shm",
    options: ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"],
  },
  { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"] },
  { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"] },
];

/** No device but what later rules open; the runtimes add those that every container has. */
export const denyAllDevices: LinuxDeviceRule = { allow: false, access: "rwm" };

/** What must be writable when `read_only` of the configuration makes every root file system read-only. */
export function writableTmpfsMounts(): readonly ReadyMount[] {
  const options = ["rw", "noexec", "nosuid", "nodev", "tmpcopyup"];
  return (
    [
      ["/run", "mode=0755"],
      ["/tmp", "mode=1777"],
      ["/var/tmp", "mode=1777"],
    ] as const
  ).map(([destination, mode]) => ({ destination, type: "tmpfs", source: "tmpfs", options: [...options, mode] }));
}
