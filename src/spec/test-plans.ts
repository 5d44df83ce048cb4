import type { ContainerSpecPlan, HostFacts, InfraSpecPlan } from "./plan.ts";

/* Plans for tests: the plainest container and infra container on a cgroup v2 host. */

export const testHost: HostFacts = { cgroupVersion: 2, swapAccounting: true, hugetlb: true, pids: true };

const defaults = ["CAP_CHOWN", "CAP_KILL"];

export const testPlan: ContainerSpecPlan = {
  id: "c".repeat(64),
  host: testHost,
  privileged: false,
  rootfs: { path: "/merged", readonly: false },
  hostname: "pod-1",
  command: {
    command: [],
    args: [],
    workingDir: "",
    tty: false,
    env: [],
    image: { Entrypoint: ["/bin/app"], Cmd: ["serve"], Env: [], WorkingDir: "" },
    defaultEnv: [],
    extraEnv: [],
  },
  user: { uid: 1000, gid: 1000, additionalGids: [1000] },
  rlimits: [],
  confinement: {
    capabilities: { bounding: defaults, effective: defaults, inheritable: [], permitted: defaults, ambient: [] },
    noNewPrivileges: false,
    selinuxLabel: "",
    mountLabel: "",
    maskedPaths: [],
    readonlyPaths: [],
  },
  mounts: {
    requested: {
      images: [],
      binds: [],
      destinations: new Set(),
      createDirectories: [],
      relabel: [],
      volumes: [],
      warnings: [],
    },
    tmpfsForReadonly: false,
    cgroupWritable: false,
    podFiles: {
      shmPath: "/run/pod/shm",
      resolvPath: "/run/pod/resolv.conf",
      hostnamePath: "/run/pod/hostname",
      containerEnvPath: "/var/pod/.containerenv",
    },
    generated: [],
    volumes: [],
    last: [],
  },
  devices: { configured: [], hostDevices: [], privilegedWithoutHostDevices: false, requested: [] },
  resources: { minMemoryBytes: 12_582_912n, pidsLimit: -1n },
  cgroupsPath: "kubepods.slice:crio:c",
  namespaces: {
    pid: { is: "new" },
    network: { is: "join", path: "/run/netns/n" },
    ipc: { is: "join", path: "/run/ipcns/n" },
    uts: { is: "join", path: "/run/utsns/n" },
  },
  annotations: { pod: {}, container: {}, containerName: "app", labels: {}, crio: { "io.container.manager": "cri-o" } },
};

export const testInfraPlan: InfraSpecPlan = {
  host: testHost,
  rootfsPath: "/merged",
  hostname: "pod-1",
  args: ["/pause"],
  rlimits: [],
  capabilities: testPlan.confinement.capabilities,
  selinuxLabel: "",
  mountLabel: "",
  files: testPlan.mounts.podFiles,
  namespaces: testPlan.namespaces,
  cgroupsPath: "kubepods.slice:crio:p",
  cpuset: "",
  sysctls: [],
  annotations: { pod: {}, labels: {}, crio: { "io.container.manager": "cri-o" } },
};

/** Mounts as one line each, to be compared at a glance: `/dev/shm bind /run/pod/shm rw,bind`. */
export function mountLines(
  mounts: readonly { destination: string; type?: string; source?: string; options?: readonly string[] }[] | undefined,
): readonly string[] {
  return (mounts ?? []).map(({ destination, type, source, options }) =>
    [destination, type, source, (options ?? []).join()].join(" "),
  );
}
