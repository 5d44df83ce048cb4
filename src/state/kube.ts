/** The words of CRI that pods and containers share, as values: no protobuf above or below needs to be known here. */

export interface PodMetadata {
  readonly name: string;
  readonly uid: string;
  readonly namespace: string;
  readonly attempt: number;
}

export interface ContainerMetadata {
  readonly name: string;
  readonly attempt: number;
}

export type StringMap = Readonly<Record<string, string>>;

export type NamespaceMode = "pod" | "container" | "node" | "target";

export interface IdMapping {
  readonly hostId: number;
  readonly containerId: number;
  readonly length: number;
}

export interface NamespaceOptions {
  readonly network: NamespaceMode;
  readonly pid: NamespaceMode;
  readonly ipc: NamespaceMode;
  /** Container whose PID namespace is joined, with `pid: "target"`. */
  readonly targetId: string;
  readonly userns?: UserNamespaceOptions;
}

export interface UserNamespaceOptions {
  readonly mode: NamespaceMode;
  readonly uids: readonly IdMapping[];
  readonly gids: readonly IdMapping[];
}

export interface SeLinuxOptions {
  readonly user: string;
  readonly role: string;
  readonly type: string;
  readonly level: string;
}

/** A seccomp or AppArmor field of a security context. */
export type SecurityProfile =
  | { readonly is: "runtime-default" }
  | { readonly is: "unconfined" }
  | { readonly is: "localhost"; readonly ref: string };

export interface HugepageLimit {
  readonly pageSize: string;
  readonly limit: bigint;
}

/** CRI's LinuxContainerResources: 0 means not set. */
export interface LinuxResources {
  readonly cpuPeriod: bigint;
  readonly cpuQuota: bigint;
  readonly cpuShares: bigint;
  readonly memoryLimitInBytes: bigint;
  readonly oomScoreAdj: bigint;
  readonly cpusetCpus: string;
  readonly cpusetMems: string;
  readonly hugepageLimits: readonly HugepageLimit[];
  readonly unified: StringMap;
  readonly memorySwapLimitInBytes: bigint;
}

export type Protocol = "TCP" | "UDP" | "SCTP";

export interface PortMapping {
  readonly protocol: Protocol;
  readonly containerPort: number;
  readonly hostPort: number;
  readonly hostIp: string;
}
