import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { parseMountTable } from "../host/index.ts";
import { detectCgroups, hierarchiesFrom, hugePageSizeFrom } from "./detect.ts";
import { parseProcCgroup, pathInMount } from "./proc-cgroup.ts";

const find = (mounts: string, memberships: string) =>
  hierarchiesFrom(parseMountTable(mounts), parseProcCgroup(memberships));

const v2 = `21 28 0:20 / /proc rw shared:5 - proc proc rw
22 28 0:21 / /sys rw shared:6 - sysfs sysfs rw
28 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw
30 22 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot
`;

const v1 = `22 28 0:21 / /sys rw - sysfs sysfs rw
28 1 8:1 / / rw - ext4 /dev/sda1 rw
31 22 0:28 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755
32 31 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate
33 31 0:30 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
34 31 0:31 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory,clone_children
`;

const v1Memberships = `12:memory:/system.slice/crio.service
4:cpu,cpuacct:/system.slice/crio.service
3:pids:/nowhere
1:name=systemd:/system.slice/crio.service
0::/system.slice/crio.service
`;

describe("the hierarchies of a machine", () => {
  it("are one with cgroup v2", () => {
    const { version, hierarchies } = find(v2, "0::/system.slice/crio.service\n");
    assert.equal(version, 2);
    const own = "/system.slice/crio.service";
    assert.deepEqual(hierarchies, [
      { kind: "unified", controllers: [], mountPoint: "/sys/fs/cgroup", mountRoot: "/", own },
    ]);
  });

  it("are many with v1, some shared by controllers, and the unified one of a hybrid host among them", () => {
    const { version, hierarchies } = find(v1, v1Memberships);
    assert.equal(version, 1);
    const shown = hierarchies.map(({ kind, controllers, mountPoint }) => `${kind} [${controllers}] ${mountPoint}`);
    assert.deepEqual(shown, [
      "v1 [memory] /sys/fs/cgroup/memory",
      "v1 [cpu,cpuacct] /sys/fs/cgroup/cpu,cpuacct",
      "v1 [] /sys/fs/cgroup/systemd",
      "unified [] /sys/fs/cgroup/unified",
    ]);
  });

  it("are v2 when v1 has nothing but a stray controller elsewhere", () => {
    const stray = `${v2}40 28 0:40 / /mnt/net_cls rw - cgroup cgroup rw,net_cls\n`;
    assert.equal(find(stray, "5:net_cls:/\n0::/\n").version, 2);
    assert.equal(find(v2.replace("22 0:26 / /sys/fs/cgroup", "28 0:26 / /cgroup2"), "0::/\n").version, 2);
  });

  it("are those that can be seen, where others were mounted over them", () => {
    const over = `${v1}50 31 0:50 / /sys/fs/cgroup rw - tmpfs cgroup_root rw
51 50 0:31 /lab /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct
52 50 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
53 52 0:33 / /sys/fs/cgroup/memory rw - tmpfs hidden rw
`;
    const { hierarchies } = find(over, "4:cpu,cpuacct:/lab/inner\n12:memory:/\n0::/\n");
    assert.deepEqual(hierarchies, [
      {
        kind: "v1",
        controllers: ["cpu", "cpuacct"],
        mountPoint: "/sys/fs/cgroup/cpu",
        mountRoot: "/lab",
        own: "/inner",
      },
    ]);
  });

  it("are found in a chroot, whose root is no mount", () => {
    const chroot = `60 59 0:60 / /sys rw - sysfs sysfs rw\n61 60 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n`;
    assert.equal(find(chroot, "0::/\n").version, 2);
  });

  it("are refused when there are none", () => {
    assert.throws(
      () => find("28 1 8:1 / / rw - ext4 /dev/sda1 rw\n", "0::/\n"),
      (error) => isFault(error, "precondition"),
    );
  });

  it("are found on this machine", async () => {
    const host = await detectCgroups();
    assert.ok(host.hierarchies.length > 0);
    assert.ok(host.controllers.has("memory"), [...host.controllers].join(" "));
  });
});

describe("/proc/PID/cgroup", () => {
  it("may have colons in its paths", () => {
    assert.deepEqual(parseProcCgroup("7:cpu,cpuacct:/a:b\n0::/\njunk\n"), [
      { controllers: ["cpu", "cpuacct"], path: "/a:b" },
      { controllers: [], path: "/" },
    ]);
  });

  it("is shown by a mount from the mount's root on", () => {
    assert.equal(pathInMount("/a/b", "/"), "/a/b");
    assert.equal(pathInMount("/a/b", "/a"), "/b");
    assert.equal(pathInMount("/a", "/a"), "/");
    assert.equal(pathInMount("/ab", "/a"), undefined);
    assert.equal(pathInMount("/../x", "/"), undefined);
  });
});

describe("a size of huge pages", () => {
  it("is spelled as the hugetlb controller does", () => {
    const names = [
      "hugepages-64kB",
      "hugepages-2048kB",
      "hugepages-32768kB",
      "hugepages-1048576kB",
      "hugepages-16777216kB",
    ];
    assert.deepEqual(names.map(hugePageSizeFrom), ["64KB", "2MB", "32MB", "1GB", "16GB"]);
    assert.equal(hugePageSizeFrom("other"), undefined);
  });
});
