import { posix } from "node:path";
import { hasMountAt, withMount } from "./mount-list.ts";
import type { HostFacts, ReadyMount } from "./plan.ts";

/** Hidden from a container that runs systemd on cgroup v1: the host runs what is written there. */
export const releaseAgentPath = "/sys/fs/cgroup/systemd/release_agent";

/** Whether the container's first process is systemd, so that it needs a world to its taste. */
export function runsSystemd(args: readonly string[]): boolean {
  const [program = ""] = args;
  return program.includes("/sbin/init") || posix.basename(program) === "systemd";
}

/** The mounts with the tmpfs that systemd keeps its state in, where nothing is mounted yet (reference: cri.md 3.2). */
export function withSystemdTmpfs(mounts: readonly ReadyMount[]): readonly ReadyMount[] {
  const options = ["rw", "rprivate", "noexec", "nosuid", "nodev", "tmpcopyup"];
  const tmpfs = ["/run", "/run/lock", "/tmp", "/var/log/journal"]
    .filter((destination) => !hasMountAt(mounts, destination))
    .map((destination) => ({ destination, type: "tmpfs", source: "tmpfs", options }));
  return [...mounts, ...tmpfs];
}

/** The mounts with a cgroup tree that systemd may write. On v1 it is its own hierarchy, unless the host's tree is there as it is. */
export function withSystemdCgroups(
  mounts: readonly ReadyMount[],
  { cgroupVersion }: Pick<HostFacts, "cgroupVersion">,
): readonly ReadyMount[] {
  if (cgroupVersion === 2) {
    return withMount(mounts, {
      destination: "/sys/fs/cgroup",
      type: "cgroup",
      source: "cgroup",
      options: ["private", "rw"],
    });
  }
  if (mounts.some(({ destination, type }) => destination === "/sys/fs/cgroup" && type === "bind")) return mounts;
  return withMount(mounts, {
    destination: "/sys/fs/cgroup/systemd",
    type: "bind",
    source: "/sys/fs/cgroup/systemd",
    options: ["bind", "nodev", "noexec", "nosuid"],
  });
}
