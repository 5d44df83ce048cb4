import type { IdMapping } from "../host/index.ts";
import type { Capabilities, Hooks, LinuxBlockIo, LinuxSeccomp, Mount } from "../oci/index.ts";
import type { AnnotationsPlan } from "./annotations.ts";
import type { ContainerMountsPlan } from "./container-mounts.ts";
import type { DevicesPlan } from "./devices.ts";
import type { CommandPlan, Rlimit } from "./process.ts";
import type { ResourcesPlan } from "./resources.ts";
import type { WorkloadResources } from "./workload.ts";

/** What of the host decides how a spec is written; read once when the daemon starts. */
export interface HostFacts {
  readonly cgroupVersion: 1 | 2;
  /** Whether swap can be limited. */
  readonly swapAccounting: boolean;
  /** Whether there are these controllers. */
  readonly hugetlb: boolean;
  readonly pids: boolean;
  /**
   * On a host without CAP_SYS_RESOURCE: what this process has, beyond which the kernel lets nothing go. Limits and OOM scores
   * that need the capability are left out then. Absent: the capability is there.
   */
  readonly inherited?: InheritedLimits;
}

export interface InheritedLimits {
  readonly oomScoreAdj: number;
  /** `RLIMIT_NOFILE` → hard limit. */
  readonly hardRlimits: ReadonlyMap<string, bigint>;
}

/** A namespace is joined by its file, shared with the host, or new. */
export type NamespaceUse =
  | { readonly is: "join"; readonly path: string }
  | { readonly is: "host" }
  | { readonly is: "new" };

export interface NamespacesPlan {
  readonly pid: NamespaceUse;
  readonly network: NamespaceUse;
  readonly ipc: NamespaceUse;
  readonly uts: NamespaceUse;
  /** Absent: ids are the host's. */
  readonly user?: UserNamespacePlan;
}

export interface UserNamespacePlan {
  /** The pinned namespace; absent for a runtime that makes its own. */
  readonly path?: string;
  readonly uidMappings: readonly IdMapping[];
  readonly gidMappings: readonly IdMapping[];
}

/** Ids as the process sees them (translated already where the user namespace asks for it). */
export interface UserPlan {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
  /** Of the umask annotation. */
  readonly umask?: number;
}

/** What confines the process; each part from `security`. */
export interface ConfinementPlan {
  readonly capabilities: Capabilities;
  readonly noNewPrivileges: boolean;
  readonly seccomp?: LinuxSeccomp;
  readonly apparmorProfile?: string;
  /** "" for none. */
  readonly selinuxLabel: string;
  readonly mountLabel: string;
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
}

/** Everything that decides a container's `config.json`; nothing of it has to be looked up any more (reference: cri.md 3). */
export interface ContainerSpecPlan {
  /** Full id, for error texts. */
  readonly id: string;
  readonly host: HostFacts;
  readonly privileged: boolean;
  readonly rootfs: { readonly path: string; readonly readonly: boolean };
  readonly hostname: string;
  readonly command: CommandPlan;
  readonly user: UserPlan;
  /** `default_ulimits`. */
  readonly rlimits: readonly Rlimit[];
  readonly confinement: ConfinementPlan;
  readonly mounts: ContainerMountsPlan;
  readonly devices: DevicesPlan;
  readonly resources: ResourcesPlan;
  /** Of the cgroup manager. */
  readonly cgroupsPath: string;
  readonly namespaces: NamespacesPlan;
  readonly annotations: AnnotationsPlan;
  readonly hooks?: Hooks;
  readonly blockIo?: LinuxBlockIo;
  /** Class of Intel RDT, known to exist. */
  readonly rdtClass?: string;
}

/** Everything that decides the `config.json` of a pod's infra container (reference: cri.md 2.1). */
export interface InfraSpecPlan {
  readonly host: HostFacts;
  /** Mounted pause image; always read-only. */
  readonly rootfsPath: string;
  readonly hostname: string;
  /** Of `infraArgs`. */
  readonly args: readonly string[];
  readonly rlimits: readonly Rlimit[];
  readonly capabilities: Capabilities;
  readonly seccomp?: LinuxSeccomp;
  readonly selinuxLabel: string;
  readonly mountLabel: string;
  readonly files: Omit<PodFiles, "containerEnvPath">;
  readonly namespaces: NamespacesPlan;
  /** Absent when the pod has no cgroup parent under systemd. */
  readonly cgroupsPath?: string;
  /** `infra_ctr_cpuset`, or "". */
  readonly cpuset: string;
  /** Of `workloadResources`. */
  readonly workload?: WorkloadResources;
  /** Of `filterSysctls`. */
  readonly sysctls: readonly (readonly [name: string, value: string])[];
  readonly annotations: Omit<AnnotationsPlan, "container" | "containerName">;
  readonly hooks?: Hooks;
}

/** Files of the pod that its containers see. */
export interface PodFiles {
  /** The pod's own tmpfs, or the host's /dev/shm. */
  readonly shmPath: string;
  readonly resolvPath: string;
  readonly hostnamePath: string;
  /** An empty file: podman's mark of a container. */
  readonly containerEnvPath: string;
}

/** A mount that is ready to be written. */
export type ReadyMount = Mount & { readonly options: readonly string[] };
