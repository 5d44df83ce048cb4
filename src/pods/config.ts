import type {
  LinuxResources,
  NamespaceOptions,
  PodMetadata,
  PortMapping,
  SecurityProfile,
  SeLinuxOptions,
  StringMap,
} from "../state/index.ts";

/** What the request asks a pod to be: CRI's PodSandboxConfig with every default filled in. */
export interface PodConfig {
  readonly metadata: PodMetadata;
  readonly hostname: string;
  readonly logDirectory: string;
  readonly dns?: DnsConfig;
  readonly portMappings: readonly PortMapping[];
  readonly labels: StringMap;
  readonly annotations: StringMap;
  readonly cgroupParent: string;
  readonly sysctls: StringMap;
  readonly security: PodSecurity;
  readonly overhead?: LinuxResources;
  readonly resources?: LinuxResources;
}

export interface DnsConfig {
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

export interface PodSecurity {
  readonly namespaces: NamespaceOptions;
  readonly selinux?: SeLinuxOptions;
  readonly runAsUser?: bigint;
  readonly runAsGroup?: bigint;
  readonly readonlyRootfs: boolean;
  readonly supplementalGroups: readonly bigint[];
  readonly privileged: boolean;
  /** Absent: the request has no profile at all. */
  readonly seccomp?: SecurityProfile;
  readonly apparmor?: SecurityProfile;
}
