import type { LinuxSeccomp } from "../../oci/index.ts";
import type { DeviceNode } from "../devices.ts";
import type { MountRequest, MountRules, MountSource, RequestedMount } from "../mount-request.ts";
import { planMounts } from "../mounts.ts";
import type { ContainerSpecPlan, HostFacts, InfraSpecPlan } from "../plan.ts";
import type { RequestedResources } from "../resources.ts";

/* For tests: telling containers, as the request, the image and the host have them. Their specs are the files beside this one. */

export interface GoldenCase {
  /** The file's name. */
  readonly name: string;
  /** Sections of CRI-O's rules (reference: cri.md) that it shows. */
  readonly shows: string;
  readonly plan:
    | { readonly of: "container"; readonly plan: ContainerSpecPlan; readonly mounts: readonly RequestedMount[] }
    | { readonly of: "infra"; readonly plan: InfraSpecPlan };
}

const v2: HostFacts = { cgroupVersion: 2, swapAccounting: true, hugetlb: true, pids: true };
const v1: HostFacts = { cgroupVersion: 1, swapAccounting: false, hugetlb: true, pids: true };

const defaultCapabilities = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_SETGID", "CAP_SETUID"];
const allCapabilities = [...defaultCapabilities, "CAP_SYS_ADMIN", "CAP_NET_ADMIN"];

const seccomp: LinuxSeccomp = {
  defaultAction: "SCMP_ACT_ERRNO",
  architectures: ["SCMP_ARCH_X86_64"],
  syscalls: [{ names: ["read", "write"], action: "SCMP_ACT_ALLOW" }],
};

const rules: MountRules = {
  storageRoot: "/var/lib/containers/storage",
  emptyDirectory: "/var/run/crio/image-volumes",
  absentSourcesToReject: [],
  runtime: { idmap: true, recursiveReadOnly: true },
  keepLabels: false,
};

/** A web server with the rights of any pod: cgroup v2, systemd's cgroups, a network of its own, an address by CNI. */
const plain: ContainerSpecPlan = {
  id: "c0".repeat(32),
  host: v2,
  privileged: false,
  rootfs: { path: "/var/lib/containers/storage/overlay/l1/merged", readonly: false },
  hostname: "web-0",
  command: {
    command: [],
    args: ["--port", "80"],
    workingDir: "",
    tty: false,
    env: [
      { key: "MODE", value: "production" },
      { key: "", value: "nobody's" },
    ],
    image: {
      Entrypoint: ["/bin/server"],
      Cmd: ["--help"],
      Env: ["PATH=/app/bin:/bin", "MODE=test", "LANG=C"],
      WorkingDir: "/app",
    },
    defaultEnv: ["NODE=worker"],
    extraEnv: [],
  },
  user: { uid: 1000, gid: 1000, additionalGids: [1000, 2000] },
  rlimits: [{ type: "RLIMIT_NOFILE", soft: 1024n, hard: 4096n }],
  confinement: {
    capabilities: {
      bounding: defaultCapabilities,
      effective: defaultCapabilities,
      inheritable: [],
      permitted: defaultCapabilities,
      ambient: [],
    },
    noNewPrivileges: false,
    seccomp,
    apparmorProfile: "crio-default",
    selinuxLabel: "",
    mountLabel: "",
    maskedPaths: ["/proc/kcore", "/sys/firmware"],
    readonlyPaths: ["/proc/sys"],
  },
  mounts: {
    requested: planMounts([], rules),
    tmpfsForReadonly: false,
    cgroupWritable: false,
    podFiles: {
      shmPath: "/run/containers/storage/overlay-containers/p/userdata/shm",
      resolvPath: "/run/containers/storage/overlay-containers/p/userdata/resolv.conf",
      hostnamePath: "/run/containers/storage/overlay-containers/p/userdata/hostname",
      containerEnvPath: "/var/lib/containers/storage/overlay-containers/p/userdata/.containerenv",
    },
    generated: [],
    volumes: [],
    last: [],
  },
  devices: { configured: [], hostDevices: [], privilegedWithoutHostDevices: false, requested: [] },
  resources: { minMemoryBytes: 12_582_912n, pidsLimit: -1n },
  cgroupsPath: "kubepods-besteffort-pod1.slice:crio:c0",
  namespaces: {
    pid: { is: "new" },
    network: { is: "join", path: "/var/run/netns/p" },
    ipc: { is: "join", path: "/var/run/ipcns/p" },
    uts: { is: "join", path: "/var/run/utsns/p" },
  },
  annotations: {
    pod: { "example.org/pod": "web", "io.kubernetes.cri-o.SandboxID": "a lie" },
    container: { "example.org/container": "server" },
    containerName: "server",
    labels: { "io.kubernetes.container.name": "server", "io.kubernetes.cri-o.ContainerType": "another lie" },
    crio: { "io.container.manager": "cri-o", "io.kubernetes.cri-o.SandboxID": "p" },
  },
};

const joinsUserNamespace = {
  path: "/var/run/userns/p",
  uidMappings: [{ containerId: 0, hostId: 100_000, size: 65_536 }],
  gidMappings: [{ containerId: 0, hostId: 200_000, size: 65_536 }],
};

const hostNamespaces: ContainerSpecPlan["namespaces"] = {
  pid: { is: "host" },
  network: { is: "host" },
  ipc: { is: "host" },
  uts: { is: "join", path: "/var/run/utsns/p" },
};

const resources: RequestedResources = {
  cpuPeriod: 100_000n,
  cpuQuota: 50_000n,
  cpuShares: 512n,
  memoryLimitInBytes: 67_108_864n,
  memorySwapLimitInBytes: 134_217_728n,
  oomScoreAdj: 999n,
  cpusetCpus: "0-1",
  cpusetMems: "0",
  hugepageLimits: [{ pageSize: "2MB", limit: 4_194_304n }],
  unified: { "memory.high": "60000000" },
};

const shared = { mountPoint: "/", shared: true, slave: false };

function bind(containerPath: string, more: Partial<MountRequest> & { readonly hostPath: string }): RequestedMount {
  const request: MountRequest = {
    containerPath,
    readonly: false,
    recursiveReadOnly: false,
    selinuxRelabel: false,
    propagation: "private",
    uidMappings: [],
    gidMappings: [],
    imageSubPath: "",
    ...more,
  };
  const source: MountSource = { is: "host", path: request.hostPath, exists: true, mount: shared };
  return { request, source };
}

function container(
  name: string,
  shows: string,
  changes: Partial<ContainerSpecPlan>,
  mounts: readonly RequestedMount[] = [],
): GoldenCase {
  const plan = { ...plain, ...changes };
  const requested = planMounts(mounts, rules);
  return {
    name,
    shows,
    plan: { of: "container", plan: { ...plan, mounts: { ...plan.mounts, requested } }, mounts },
  };
}

const node = (path: string, major: number, minor: number): DeviceNode => ({
  path,
  type: "c",
  major,
  minor,
  fileMode: 0o666,
  uid: 0,
  gid: 0,
});

const hostDevices = [node("/dev/null", 1, 3), node("/dev/kvm", 10, 232), node("/dev/deleted", 0, 0)];

const infra: InfraSpecPlan = {
  host: v2,
  rootfsPath: "/var/lib/containers/storage/overlay/l0/merged",
  hostname: "web-0",
  args: ["/pause"],
  rlimits: [],
  capabilities: plain.confinement.capabilities,
  seccomp,
  selinuxLabel: "",
  mountLabel: "",
  files: plain.mounts.podFiles,
  namespaces: { ...plain.namespaces, pid: { is: "new" } },
  cgroupsPath: "kubepods-besteffort-pod1.slice:crio:p",
  cpuset: "0",
  sysctls: [
    ["net.ipv4.ip_forward", "1"],
    ["kernel.shm_rmid_forced", "0"],
  ],
  annotations: {
    pod: { "example.org/pod": "web" },
    labels: { "io.kubernetes.container.name": "POD" },
    crio: { "io.container.manager": "cri-o", "io.kubernetes.cri-o.ContainerType": "sandbox" },
  },
};

export const goldenCases: readonly GoldenCase[] = [
  container("plain", "3.1 template, 3.2 cgroup mount and base mounts, 3.5, 3.6 args, env and paths, 3.8", {}),
  container("plain-v1", "3 step 19: no cgroup namespace; 3.1; 2.4 cgroupfs path", {
    host: v1,
    cgroupsPath: "/kubepods/pod1/crio-c0",
  }),
  container(
    "privileged",
    "3.2 privileged, 3.3 all devices and one rule, 3.6 five sets, no masks, no seccomp",
    {
      privileged: true,
      confinement: {
        capabilities: {
          bounding: allCapabilities,
          effective: allCapabilities,
          inheritable: allCapabilities,
          permitted: allCapabilities,
          ambient: allCapabilities,
        },
        noNewPrivileges: false,
        selinuxLabel: "",
        mountLabel: "",
        maskedPaths: ["/proc/kcore"],
        readonlyPaths: ["/proc/sys"],
      },
      devices: { ...plain.devices, hostDevices },
    },
    [bind("/data", { hostPath: "/srv/data", readonly: true })],
  ),
  container("host-namespaces", "3.2 host network: /sys, cgroup and /etc/hosts; 3.5 network, pid and ipc of the node", {
    namespaces: hostNamespaces,
  }),
  container("user-namespace", "3.5 joined by its file, 3.7 mappings in the spec all the same", {
    namespaces: { ...plain.namespaces, user: joinsUserNamespace },
    user: { uid: 0, gid: 0, additionalGids: [0] },
  }),
  container(
    "user-namespace-host-network",
    "3.2 host network with a user namespace: /sys bound, recursively read-only",
    {
      namespaces: { ...plain.namespaces, network: { is: "host" }, user: joinsUserNamespace },
    },
  ),
  container(
    "read-only-rootfs",
    "3 steps 3 and 4: read-only root, tmpfs at /run, /tmp and /var/tmp; step 20: files ro",
    {
      rootfs: { ...plain.rootfs, readonly: true },
      mounts: { ...plain.mounts, tmpfsForReadonly: true },
    },
    [bind("/tmp", { hostPath: "/srv/tmp" })],
  ),
  container("systemd-v2", "3.2 systemd mode: tmpfs, a writable cgroup tree; 3.6 container=crio", {
    command: { ...plain.command, command: ["/sbin/init"], args: [] },
  }),
  container("systemd-v1", "3.2 systemd mode on v1: systemd's hierarchy bound, release_agent masked", {
    host: v1,
    command: { ...plain.command, command: ["/usr/lib/systemd/systemd"], args: [] },
  }),
  container(
    "resources-v2",
    "3.4 all of it, unified and swap; 3 step 15: the annotation has the last word; step 33: pids",
    {
      resources: {
        ...plain.resources,
        pidsLimit: 1024n,
        requested: resources,
        unified: { "memory.high": "50000000", "pids.max": "100" },
      },
    },
  ),
  container("resources-v1", "3.4 without swap accounting and without unified; zeros of the cpu are written", {
    host: v1,
    resources: {
      ...plain.resources,
      requested: { ...resources, cpuPeriod: 0n, cpuQuota: 0n, cpuShares: 0n, cpusetCpus: "", cpusetMems: "" },
    },
  }),
  container(
    "devices",
    "3.3 configured, node under another path, directory, something else; owner of the security context",
    {
      devices: {
        ...plain.devices,
        configured: [{ node: node("/dev/fuse", 10, 229), containerPath: "/dev/fuse", permissions: "rw" }],
        requested: [
          {
            containerPath: "/dev/mykvm",
            hostPath: "/dev/kvm",
            permissions: "rw",
            found: { is: "node", node: node("/dev/kvm", 10, 232) },
            containerPathOnHost: false,
          },
          {
            containerPath: "/dev/sound",
            hostPath: "/dev/snd",
            permissions: "rwm",
            found: { is: "directory", path: "/dev/snd", nodes: [node("/dev/snd/seq", 116, 1)] },
            containerPathOnHost: false,
          },
          {
            containerPath: "/dev/none",
            hostPath: "/etc/passwd",
            permissions: "r",
            found: { is: "other" },
            containerPathOnHost: false,
          },
        ],
        owner: { uid: 1000, gid: 1000 },
      },
    },
  ),
  container("mounts", "3.2 by depth: every propagation, ro and rro, ids on a mount, an image, the store's root", {}, [
    bind("/a/deep/one", { hostPath: "/srv/one", propagation: "bidirectional" }),
    bind("/slave", { hostPath: "/srv/slave", propagation: "host-to-container", readonly: true }),
    bind("/private", { hostPath: "/srv/private" }),
    bind("/rro", { hostPath: "/srv/rro", readonly: true, recursiveReadOnly: true }),
    bind("/ids", { hostPath: "/srv/ids", uidMappings: [{ containerId: 0, hostId: 100_000, length: 65_536 }] }),
    bind("/store", { hostPath: "/var/lib" }),
    {
      request: { ...bind("/model", { hostPath: "" }).request, image: "quay.io/models/one:1" },
      source: {
        is: "image",
        imageId: "1".repeat(64),
        path: "/var/lib/containers/storage/overlay/l2/merged",
        isMapped: false,
      },
    },
  ]),
  container(
    "mounts-over-the-template",
    "3.2 /dev and /sys supplied: nothing of the template below them; the cgroup mount goes",
    {},
    [
      bind("/dev", { hostPath: "/dev" }),
      bind("/sys", { hostPath: "/sys", readonly: true }),
      bind("/etc/hosts", { hostPath: "/var/lib/kubelet/pods/1/etc-hosts" }),
    ],
  ),
  container("terminal", "3 step 13; 3.6 cwd and noNewPrivileges; 3.7 user; step 36: umask; 3 step 34: SELinux", {
    command: { ...plain.command, tty: true, command: ["sh"], args: ["-l"], workingDir: "/home/user", env: [] },
    user: { uid: 0, gid: 5, additionalGids: [5], umask: 0o027 },
    confinement: {
      ...plain.confinement,
      noNewPrivileges: true,
      selinuxLabel: "system_u:system_r:container_t:s0:c1,c2",
      mountLabel: "system_u:object_r:container_file_t:s0:c1,c2",
      maskedPaths: [],
      readonlyPaths: [],
    },
  }),
  { name: "infra", shows: "2.1 steps 12, 19, 23 and 24; 2.3; 2.5; 2.6", plan: { of: "infra", plan: infra } },
  {
    name: "infra-user-namespace",
    shows: "2.1 step 25: the host's /dev/mqueue, /sys and /proc; 2.2; 2.6",
    plan: {
      of: "infra",
      plan: { ...infra, sysctls: [], namespaces: { ...hostNamespaces, user: joinsUserNamespace } },
    },
  },
];
