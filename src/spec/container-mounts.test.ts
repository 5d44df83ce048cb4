import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ContainerMountsPlan, containerMounts, type MountSetting } from "./container-mounts.ts";
import type { ReadyMount } from "./plan.ts";
import { mountLines, testPlan } from "./test-plans.ts";

const setting: MountSetting = {
  host: { cgroupVersion: 2 },
  privileged: false,
  readonlyRootfs: false,
  hostNetwork: false,
  hasUserNamespace: false,
  runsSystemd: false,
};

function bind(destination: string): ReadyMount {
  return { destination, type: "bind", source: `/host${destination}`, options: ["rbind", "rprivate", "rw", "bind"] };
}

function planFor(binds: readonly ReadyMount[], change: Partial<ContainerMountsPlan> = {}): ContainerMountsPlan {
  const destinations = new Set(binds.map(({ destination }) => destination));
  return { ...testPlan.mounts, requested: { ...testPlan.mounts.requested, binds, destinations }, ...change };
}

function lines(change: Partial<MountSetting> = {}, plan = planFor([])): readonly string[] {
  return mountLines(containerMounts(plan, { ...setting, ...change }));
}

function places(change: Partial<MountSetting> = {}, plan = planFor([])): readonly string[] {
  return containerMounts(plan, { ...setting, ...change }).map(({ destination }) => destination);
}

function lineAt(destination: string, all: readonly string[]): string | undefined {
  return all.find((line) => line.startsWith(`${destination} `));
}

const podFiles = ["/dev/shm", "/etc/resolv.conf", "/etc/hostname", "/run/.containerenv"];

describe("containerMounts", () => {
  it("begins with the template and ends with the pod's files", () => {
    assert.deepEqual(places(), ["/proc", "/dev", "/dev/pts", "/dev/mqueue", "/sys", "/sys/fs/cgroup", ...podFiles]);
  });

  it("mounts the pod's files read-only over a read-only root, shm aside", () => {
    const all = lines({ readonlyRootfs: true });
    assert.equal(lineAt("/dev/shm", all), "/dev/shm bind /run/pod/shm rw,bind");
    assert.equal(lineAt("/etc/hostname", all), "/etc/hostname bind /run/pod/hostname ro,bind");
    assert.equal(
      lineAt("/etc/resolv.conf", all),
      "/etc/resolv.conf bind /run/pod/resolv.conf ro,bind,nodev,nosuid,noexec",
    );
  });

  it("adds tmpfs where read_only of the configuration takes writable places away", () => {
    const all = lines({ readonlyRootfs: true }, planFor([bind("/tmp")], { tmpfsForReadonly: true }));
    assert.equal(lineAt("/run", all), "/run tmpfs tmpfs rw,noexec,nosuid,nodev,tmpcopyup,mode=0755");
    assert.equal(lineAt("/var/tmp", all), "/var/tmp tmpfs tmpfs rw,noexec,nosuid,nodev,tmpcopyup,mode=1777");
    assert.equal(lineAt("/tmp", all), "/tmp bind /host/tmp rbind,rprivate,rw,bind");
  });

  it("leaves out of the template what the request mounts itself", () => {
    assert.deepEqual(places({}, planFor([bind("/proc")])).slice(0, 2), ["/dev", "/dev/pts"]);
  });

  it("leaves out everything below /dev and /sys when the request mounts these", () => {
    const mounted = places({}, planFor([bind("/dev"), bind("/sys")]));
    assert.deepEqual(mounted, ["/proc", ...podFiles, "/dev", "/sys"]);
  });

  it("mounts the request's paths last, parents first, over what was there", () => {
    const plan = planFor([bind("/a/b"), bind("/etc/hostname"), bind("/a")], {
      generated: [{ destination: "/etc/passwd", type: "bind", source: "/run/c/passwd", options: ["rw", "bind"] }],
      volumes: [{ destination: "/data", type: "bind", source: "/run/c/data", options: ["private", "rw"] }],
    });
    const all = lines({}, plan);
    assert.deepEqual(all.slice(-6), [
      "/run/.containerenv bind /var/pod/.containerenv rw,bind",
      "/etc/passwd bind /run/c/passwd rw,bind",
      "/a bind /host/a rbind,rprivate,rw,bind",
      "/data bind /run/c/data private,rw,bind",
      "/a/b bind /host/a/b rbind,rprivate,rw,bind",
      "/etc/hostname bind /host/etc/hostname rbind,rprivate,rw,bind",
    ]);
    assert.equal(all.filter((line) => line.startsWith("/etc/hostname ")).length, 1);
  });

  it("gives localtime the last word", () => {
    const localtime = {
      destination: "/etc/localtime",
      type: "bind",
      source: "/run/c/localtime",
      options: ["rw", "bind"],
    };
    const all = lines({}, planFor([bind("/etc/localtime")], { last: [localtime] }));
    assert.equal(lineAt("/etc/localtime", all), "/etc/localtime bind /run/c/localtime rw,bind");
  });

  it("opens the cgroup tree by annotation on v2 only", () => {
    const writable = planFor([], { cgroupWritable: true });
    const v2 = "/sys/fs/cgroup cgroup cgroup nosuid,noexec,nodev,relatime,";
    assert.equal(lineAt("/sys/fs/cgroup", lines({}, writable)), `${v2}rw`);
    assert.equal(lineAt("/sys/fs/cgroup", lines({ host: { cgroupVersion: 1 } }, writable)), `${v2}ro`);
  });

  describe("with the host's network", () => {
    it("shows the host's /etc/hosts, unless the request has its own", () => {
      assert.equal(lineAt("/etc/hosts", lines({ hostNetwork: true })), "/etc/hosts bind /etc/hosts rw,bind");
      const own = lines({ hostNetwork: true }, planFor([bind("/etc/hosts")]));
      assert.equal(lineAt("/etc/hosts", own), "/etc/hosts bind /host/etc/hosts rbind,rprivate,rw,bind");
      assert.equal(lineAt("/etc/hosts", lines()), undefined);
    });

    it("mounts sysfs and cgroup read-only", () => {
      const all = lines({ hostNetwork: true });
      assert.equal(lineAt("/sys", all), "/sys sysfs sysfs nosuid,noexec,nodev,ro");
      assert.equal(lineAt("/sys/fs/cgroup", all), "/sys/fs/cgroup cgroup cgroup nosuid,noexec,nodev,relatime,ro");
    });

    it("binds the host's /sys for a user namespace", () => {
      const all = lines({ hostNetwork: true, hasUserNamespace: true });
      assert.equal(lineAt("/sys", all), "/sys bind /sys nosuid,noexec,nodev,rro,rbind");
    });

    it("leaves /sys to a request that mounts it", () => {
      const all = lines({ hostNetwork: true }, planFor([bind("/sys")]));
      assert.deepEqual(
        all.filter((line) => line.startsWith("/sys")),
        ["/sys bind /host/sys rbind,rprivate,rw,bind"],
      );
    });
  });

  describe("for a privileged container", () => {
    it("makes everything writable but the request's paths", () => {
      const readonly: ReadyMount = { ...bind("/a"), options: ["rbind", "rprivate", "ro", "bind"] };
      const all = lines({ privileged: true, readonlyRootfs: true }, planFor([readonly]));
      assert.equal(lineAt("/sys", all), "/sys sysfs sysfs nosuid,noexec,nodev,rw,rslave");
      assert.equal(
        lineAt("/sys/fs/cgroup", all),
        "/sys/fs/cgroup cgroup cgroup nosuid,noexec,nodev,rw,relatime,rslave",
      );
      assert.equal(lineAt("/etc/hostname", all), "/etc/hostname bind /run/pod/hostname bind,rw");
      assert.equal(lineAt("/proc", all), "/proc proc proc nosuid,noexec,nodev,rw");
      assert.equal(lineAt("/a", all), "/a bind /host/a rbind,rprivate,ro,bind");
    });
  });

  describe("for systemd", () => {
    it("adds tmpfs before what is mounted inside, and a private cgroup tree on v2", () => {
      const image: ReadyMount = {
        destination: "/run/image",
        type: "overlay",
        source: "overlay",
        options: ["lowerdir=/x:/y"],
      };
      const plan = planFor([bind("/tmp")]);
      const all = lines({ runsSystemd: true }, { ...plan, requested: { ...plan.requested, images: [image] } });
      const order = all.map((line) => line.split(" ")[0]);
      assert.equal(lineAt("/run", all), "/run tmpfs tmpfs rw,rprivate,noexec,nosuid,nodev,tmpcopyup");
      assert.ok(order.indexOf("/run") < order.indexOf("/run/image"));
      assert.ok(order.indexOf("/run") < order.indexOf("/run/.containerenv"));
      assert.ok(order.includes("/run/lock") && order.includes("/var/log/journal"));
      assert.equal(lineAt("/tmp", all), "/tmp bind /host/tmp rbind,rprivate,rw,bind");
      assert.equal(lineAt("/sys/fs/cgroup", all), "/sys/fs/cgroup cgroup cgroup private,rw");
    });

    it("binds its own hierarchy on v1", () => {
      const all = lines({ runsSystemd: true, host: { cgroupVersion: 1 } });
      assert.equal(
        lineAt("/sys/fs/cgroup/systemd", all),
        "/sys/fs/cgroup/systemd bind /sys/fs/cgroup/systemd bind,nodev,noexec,nosuid",
      );
    });

    it("keeps the tmpfs of a read-only configuration", () => {
      const all = lines({ runsSystemd: true }, planFor([], { tmpfsForReadonly: true }));
      assert.equal(lineAt("/run", all), "/run tmpfs tmpfs rw,noexec,nosuid,nodev,tmpcopyup,mode=0755");
    });
  });

  it("never mounts twice at one place, whatever comes together", () => {
    for (const hostNetwork of [true, false]) {
      for (const privileged of [true, false]) {
        for (const runsSystemd of [true, false]) {
          const all = places(
            { hostNetwork, privileged, runsSystemd, hasUserNamespace: privileged },
            planFor([bind("/run"), bind("/sys/fs/cgroup"), bind("/dev/shm"), bind("/etc/hosts")], {
              tmpfsForReadonly: true,
            }),
          );
          assert.equal(new Set(all).size, all.length);
        }
      }
    }
  });
});
