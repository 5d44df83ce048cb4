import type {
  ContainerMetadata,
  IdMapping,
  LinuxResources,
  MountPropagation,
  NamespaceOptions,
  SecurityProfile,
  SeLinuxOptions,
  StringMap,
} from "../state/index.ts";

/** What the request asks a container to be: CRI's ContainerConfig with every default filled in. */
export interface ContainerConfig {
  readonly metadata: ContainerMetadata;
  /** Image as the kubelet resolved it: an id, or a name. */
  readonly image: string;
  /** Image as the pod's author wrote it, or "". */
  readonly userSpecifiedImage: string;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly workingDir: string;
  readonly env: readonly EnvEntry[];
  readonly mounts: readonly MountConfig[];
  readonly devices: readonly DeviceConfig[];
  readonly cdiDevices: readonly string[];
  readonly labels: StringMap;
  readonly annotations: StringMap;
  /** Relative to the pod's log directory. */
  readonly logPath: string;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly tty: boolean;
  /** Absent: no resources were given, so none are written. */
  readonly resources?: LinuxResources;
  readonly security: ContainerSecurity;
  /** Full name of the stop signal, or "" for the image's. */
  readonly stopSignal: string;
}

export interface EnvEntry {
  readonly key: string;
  readonly value: string;
}

export interface MountConfig {
  readonly containerPath: string;
  readonly hostPath: string;
  readonly readonly: boolean;
  readonly recursiveReadOnly: boolean;
  readonly selinuxRelabel: boolean;
  readonly propagation: MountPropagation;
  readonly uidMappings: readonly IdMapping[];
  readonly gidMappings: readonly IdMapping[];
  /** Image to mount instead of a host path. */
  readonly image?: string;
  /** The same as the pod's author wrote it, or "". */
  readonly userSpecifiedImage: string;
  readonly imageSubPath: string;
}

export interface DeviceConfig {
  readonly containerPath: string;
  readonly hostPath: string;
  /** Some of `rwm`. */
  readonly permissions: string;
}

export interface CapabilityChange {
  readonly add: readonly string[];
  readonly drop: readonly string[];
  readonly addAmbient: readonly string[];
}

export interface ContainerSecurity {
  readonly capabilities: CapabilityChange;
  readonly privileged: boolean;
  readonly namespaces: NamespaceOptions;
  readonly selinux?: SeLinuxOptions;
  readonly runAsUser?: bigint;
  readonly runAsGroup?: bigint;
  readonly runAsUsername: string;
  readonly readonlyRootfs: boolean;
  readonly supplementalGroups: readonly bigint[];
  readonly supplementalGroupsPolicy: "merge" | "strict";
  readonly noNewPrivileges: boolean;
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  readonly seccomp?: SecurityProfile;
  readonly apparmor?: SecurityProfile;
  /** The older form of `apparmor`: `runtime/default`, `unconfined`, `localhost/NAME` or "". */
  readonly apparmorProfile: string;
}
