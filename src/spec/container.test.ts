import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runtimeJson } from "../oci/index.ts";
import { buildContainerSpec, containerWarnings } from "./container.ts";
import type { ContainerSpecPlan } from "./plan.ts";
import { testHost, testPlan } from "./test-plans.ts";

const systemd: ContainerSpecPlan = { ...testPlan, command: { ...testPlan.command, command: ["/sbin/init"] } };

describe("buildContainerSpec", () => {
  it("writes the plainest container whole", () => {
    const spec = buildContainerSpec(testPlan);
    const defaults = ["CAP_CHOWN", "CAP_KILL"];
    assert.deepEqual(JSON.parse(runtimeJson(spec)), {
      ociVersion: "1.2.1",
      process: {
        user: { uid: 1000, gid: 1000, additionalGids: [1000] },
        args: ["/bin/app", "serve"],
        env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm", "HOSTNAME=pod-1"],
        cwd: "/",
        capabilities: { bounding: defaults, effective: defaults, inheritable: [], permitted: defaults, ambient: [] },
        noNewPrivileges: false,
      },
      root: { path: "/merged", readonly: false },
      hostname: "pod-1",
      mounts: [
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
        { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"] },
        { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"] },
        {
          destination: "/sys/fs/cgroup",
          type: "cgroup",
          source: "cgroup",
          options: ["nosuid", "noexec", "nodev", "relatime", "ro"],
        },
        { destination: "/dev/shm", type: "bind", source: "/run/pod/shm", options: ["rw", "bind"] },
        {
          destination: "/etc/resolv.conf",
          type: "bind",
          source: "/run/pod/resolv.conf",
          options: ["rw", "bind", "nodev", "nosuid", "noexec"],
        },
        { destination: "/etc/hostname", type: "bind", source: "/run/pod/hostname", options: ["rw", "bind"] },
        { destination: "/run/.containerenv", type: "bind", source: "/var/pod/.containerenv", options: ["rw", "bind"] },
      ],
      annotations: { "io.container.manager": "cri-o" },
      linux: {
        resources: { devices: [{ allow: false, access: "rwm" }], pids: { limit: -1 } },
        cgroupsPath: "kubepods.slice:crio:c",
        namespaces: [
          { type: "pid" },
          { type: "network", path: "/run/netns/n" },
          { type: "ipc", path: "/run/ipcns/n" },
          { type: "uts", path: "/run/utsns/n" },
          { type: "mount" },
          { type: "cgroup" },
        ],
      },
    });
  });

  it("carries the confinement over as it was decided", () => {
    const { linux, process } = buildContainerSpec({
      ...testPlan,
      rdtClass: "gold",
      rlimits: [{ type: "RLIMIT_NOFILE", hard: 2048n, soft: 1024n }],
      confinement: {
        ...testPlan.confinement,
        noNewPrivileges: true,
        seccomp: { defaultAction: "SCMP_ACT_LOG" },
        apparmorProfile: "crio-default",
        selinuxLabel: "system_u:system_r:container_t:s0",
        mountLabel: "system_u:object_r:container_file_t:s0",
        maskedPaths: ["/proc/kcore"],
        readonlyPaths: ["/proc/sys"],
      },
    });
    assert.equal(process?.noNewPrivileges, true);
    assert.equal(process?.apparmorProfile, "crio-default");
    assert.equal(process?.selinuxLabel, "system_u:system_r:container_t:s0");
    assert.deepEqual(process?.rlimits, [{ type: "RLIMIT_NOFILE", hard: 2048n, soft: 1024n }]);
    assert.deepEqual(linux?.seccomp, { defaultAction: "SCMP_ACT_LOG" });
    assert.equal(linux?.mountLabel, "system_u:object_r:container_file_t:s0");
    assert.deepEqual(linux?.maskedPaths, ["/proc/kcore"]);
    assert.deepEqual(linux?.readonlyPaths, ["/proc/sys"]);
    assert.deepEqual(linux?.intelRdt, { closID: "gold" });
  });

  it("hides nothing from a privileged container and leaves it in the host's cgroup namespace", () => {
    const confinement = { ...testPlan.confinement, maskedPaths: ["/proc/kcore"], readonlyPaths: ["/proc/sys"] };
    const { linux } = buildContainerSpec({ ...testPlan, privileged: true, confinement });
    assert.equal(linux?.maskedPaths, undefined);
    assert.equal(linux?.readonlyPaths, undefined);
    assert.ok(!linux?.namespaces?.some(({ type }) => type === "cgroup"));
  });

  it("has no cgroup namespace on cgroup v1", () => {
    const { linux } = buildContainerSpec({ ...testPlan, host: { ...testHost, cgroupVersion: 1 } });
    assert.ok(!linux?.namespaces?.some(({ type }) => type === "cgroup"));
  });

  it("tells systemd that it is in a container, and hides the release agent on cgroup v1", () => {
    const spec = buildContainerSpec({ ...systemd, host: { ...testHost, cgroupVersion: 1 } });
    assert.ok(spec.process?.env?.includes("container=crio"));
    assert.deepEqual(spec.linux?.maskedPaths, ["/sys/fs/cgroup/systemd/release_agent"]);
    assert.equal(buildContainerSpec(systemd).linux?.maskedPaths, undefined);
  });

  it("follows the request's mounts in the propagation of the root", () => {
    const requested = { ...testPlan.mounts.requested, rootfsPropagation: "rslave" as const };
    const { linux } = buildContainerSpec({ ...testPlan, mounts: { ...testPlan.mounts, requested } });
    assert.equal(linux?.rootfsPropagation, "rslave");
  });

  it("leaves out what a host without CAP_SYS_RESOURCE cannot set", () => {
    const resources = { ...testPlan.resources, requested: { ...noResources, oomScoreAdj: -998n } };
    const rlimits = [
      { type: "RLIMIT_NOFILE", hard: 4096n, soft: 1n },
      { type: "RLIMIT_NPROC", hard: 10n, soft: 1n },
      { type: "RLIMIT_CORE", hard: 0n, soft: 0n },
    ];
    const hardRlimits = new Map([
      ["RLIMIT_NOFILE", 1024n],
      ["RLIMIT_NPROC", 10n],
    ]);
    const host = { ...testHost, inherited: { oomScoreAdj: 0, hardRlimits } };
    const { process } = buildContainerSpec({ ...testPlan, host, resources, rlimits });
    assert.equal(process?.oomScoreAdj, undefined);
    assert.deepEqual(process?.rlimits, [{ type: "RLIMIT_NPROC", hard: 10n, soft: 1n }]);
    const raised = { ...testPlan.resources, requested: { ...noResources, oomScoreAdj: 1000n } };
    assert.equal(buildContainerSpec({ ...testPlan, host, resources: raised }).process?.oomScoreAdj, 1000);
    assert.equal(buildContainerSpec({ ...testPlan, resources }).process?.oomScoreAdj, -998);
  });

  it("writes the mappings of a user namespace, joined or not", () => {
    const mapping = [{ containerId: 0, hostId: 100000, size: 65536 }];
    const user = { path: "/run/userns/n", uidMappings: mapping, gidMappings: mapping };
    const { linux } = buildContainerSpec({ ...testPlan, namespaces: { ...testPlan.namespaces, user } });
    assert.deepEqual(linux?.uidMappings, [{ containerID: 0, hostID: 100000, size: 65536 }]);
    assert.deepEqual(linux?.gidMappings, linux?.uidMappings);
    assert.ok(linux?.namespaces?.some(({ type, path }) => type === "user" && path === "/run/userns/n"));
  });

  it("refuses NUL wherever text comes from the request", () => {
    for (const plan of [
      { ...testPlan, hostname: "a\0b" },
      { ...testPlan, command: { ...testPlan.command, args: ["a\0b"] } },
      { ...testPlan, command: { ...testPlan.command, env: [{ key: "A", value: "a\0b" }] } },
      { ...testPlan, command: { ...testPlan.command, workingDir: "/a\0b" } },
    ]) {
      assert.throws(() => buildContainerSpec(plan), /NUL/);
    }
  });
});

describe("containerWarnings", () => {
  it("says where no_new_privs cannot help", () => {
    const confinement = { ...testPlan.confinement, noNewPrivileges: true };
    assert.deepEqual(containerWarnings({ ...testPlan, confinement }), []);
    assert.equal(containerWarnings({ ...testPlan, confinement, privileged: true }).length, 1);
    const admin = { ...confinement, capabilities: { effective: ["CAP_SYS_ADMIN"] } };
    assert.equal(containerWarnings({ ...testPlan, confinement: admin }).length, 1);
  });
});

const noResources = {
  cpuPeriod: 0n,
  cpuQuota: 0n,
  cpuShares: 0n,
  memoryLimitInBytes: 0n,
  memorySwapLimitInBytes: 0n,
  oomScoreAdj: 0n,
  cpusetCpus: "",
  cpusetMems: "",
  hugepageLimits: [],
  unified: {},
};
