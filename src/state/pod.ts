import type { IdMapping } from "../host/index.ts";
import type { RuntimeSpec } from "../oci/index.ts";
import type { Container } from "./container.ts";
import type { NamespaceOptions, PodMetadata, PortMapping, StringMap } from "./kube.ts";

/** Files that pin a pod's namespaces; absent where the pod shares the host's and nothing was pinned. */
export interface PodNamespaces {
  readonly net?: string;
  readonly ipc?: string;
  readonly uts?: string;
  readonly user?: string;
}

/** The ids of a pod's own user namespace. */
export interface UserNamespace {
  readonly uids: readonly IdMapping[];
  readonly gids: readonly IdMapping[];
}

/** What a pod is, from its creation to its removal; it never changes. */
export interface PodRecord {
  readonly id: string;
  /** `k8s_<pod>_<namespace>_<uid>_<attempt>`. */
  readonly name: string;
  /** `k8s_POD_…`: the name of the infra container. */
  readonly infraName: string;
  readonly metadata: PodMetadata;
  readonly labels: StringMap;
  readonly annotations: StringMap;
  readonly createdAtNs: bigint;
  /** As the request said it; "" is the default handler. */
  readonly runtimeHandler: string;
  readonly logDirectory: string;
  readonly hostname: string;
  readonly cgroupParent: string;
  readonly namespaceOptions: NamespaceOptions;
  readonly hostNetwork: boolean;
  readonly privileged: boolean;
  readonly portMappings: readonly PortMapping[];
  readonly namespaces: PodNamespaces;
  /** Absent: the pod's ids are the host's. */
  readonly userNamespace?: UserNamespace;
  /** Backing of /dev/shm in every container: a tmpfs of the pod's own, or the host's. */
  readonly shmPath: string;
  readonly resolvPath: string;
  readonly hostnamePath: string;
  /** Root file system of the infra container, or "". */
  readonly mountPoint: string;
  /** A pod without an infra process has only the record of one. */
  readonly hasInfraProcess: boolean;
  /** Dir: survives a reboot. */
  readonly dir: string;
  /** RunDir: on a tmpfs. */
  readonly runDir: string;
}

export interface Pod {
  readonly record: PodRecord;
  /** Spec of the infra container, written out even where there is no process. */
  readonly spec: RuntimeSpec;
  readonly stopped: boolean;
  readonly networkStopped: boolean;
  readonly ips: readonly string[];
  readonly infra: Container;
  /** Why a release could not be finished; the record stays until it can. */
  readonly trouble?: string;
}

/** Whether CRI calls the pod READY. */
export function isReady(pod: Pod): boolean {
  return !pod.stopped;
}
