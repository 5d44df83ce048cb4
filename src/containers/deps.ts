import type { Clock, KeyedLock, Logger, Places } from "../base/index.ts";
import type { CgroupManager } from "../cgroups/index.ts";
import type { ImageDeps } from "../images/index.ts";
import type { RuntimeHandler } from "../runtime/index.ts";
import type { SeccompProfile } from "../security/index.ts";
import type { HostFacts as SpecHostFacts } from "../spec/index.ts";
import type { Containers, Creations, Events, Names, Pods } from "../state/index.ts";
import type { Store } from "../storage/index.ts";
import type { CdiDevices } from "./cdi-devices.ts";
import type { HookDirectories } from "./hook-directories.ts";
import type { ImageMounts } from "./image-mounts.ts";
import type { SeLinux } from "./selinux.ts";
import type { Stopping } from "./stopping.ts";
import type { Workload } from "./workloads.ts";

/** What the operations on containers work with. */
export interface ContainerDeps {
  readonly containers: Containers;
  readonly pods: Pods;
  readonly names: Names;
  readonly creations: Creations;
  readonly events: Events;
  /** One lock per pod: creating a container in it, stopping it, removing it. Taken before a container's. */
  readonly podLocks: KeyedLock<string>;
  /** One lock per container: starting it, noting its end, removing it. */
  readonly containerLocks: KeyedLock<string>;
  readonly stopping: Stopping;
  readonly store: Store;
  readonly images: ImageDeps;
  readonly imageMounts: ImageMounts;
  readonly hooks: HookDirectories;
  readonly cdi: CdiDevices;
  readonly selinux: SeLinux;
  readonly cgroups: CgroupManager;
  readonly handlers: Handlers;
  readonly host: HostFacts;
  readonly seccompProfiles: SeccompProfiles;
  readonly options: ContainerOptions;
  /** How many commands may be started at once. */
  readonly execStarts: Places;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The runtimes table. */
export interface Handlers {
  /** The handler of that name, "" being the default, for what runs already: one that a reload has taken away works on. Rejects an unknown name. */
  get(name: string): RuntimeHandler;
  /** The same for a new pod: only what the configuration has now. */
  offered(name: string): RuntimeHandler;
  /** Those that are offered. */
  list(): readonly RuntimeHandler[];
  readonly defaultName: string;
}

/** The profiles that stand for RuntimeDefault where files are configured for it, read at start and on reload. */
export interface SeccompProfiles {
  readonly configured?: SeccompProfile;
  readonly byHandler: ReadonlyMap<string, SeccompProfile>;
}

/** What the kernel and this process can do; read once at start. */
export interface HostFacts {
  /** Every capability the kernel knows, `CAP_X`. */
  readonly capabilities: ReadonlySet<string>;
  /** What this process may give to others: its bounding set. */
  readonly boundingCapabilities: ReadonlySet<string>;
  readonly seccomp: boolean;
  readonly apparmor: boolean;
  readonly selinux: boolean;
  readonly architecture: string;
  readonly kernelVersion: string;
  /** What decides how a spec is written. */
  readonly spec: SpecHostFacts;
}

/** The daemon's options that containers depend on. */
export interface ContainerOptions {
  readonly exitsDir: string;
  readonly attachDir: string;
  /** In memory; for the files of commands while they are started. */
  readonly execDir: string;
  readonly namespacesDir: string;
  readonly logDir: string;
  readonly logLevel: () => string;
  readonly logSizeMax: bigint;
  /** Whether conmon writes to the journal besides the log. */
  readonly logToJournald: boolean;
  readonly noPivot: boolean;
  readonly readOnly: boolean;
  readonly pidsLimit: bigint;
  readonly defaultCapabilities: readonly string[];
  readonly addInheritableCapabilities: boolean;
  readonly defaultEnv: readonly string[];
  readonly defaultUlimits: readonly Ulimit[];
  readonly additionalDevices: readonly DeviceOption[];
  /** Devices of the host that pods may ask for by annotation. */
  readonly allowedDevices: readonly string[];
  readonly cdiSpecDirs: readonly string[];
  readonly workloads: readonly Workload[];
  /** CPUs for infra containers and monitors, as a list such as `0-3,8`, or "". */
  readonly infraCpuset: string;
  readonly bindMountPrefix: string;
  readonly absentMountSourcesToReject: readonly string[];
  /** A mounts.conf in place of the usual ones, or "". */
  readonly defaultMountsFile: string;
  /** `zone`: a name, `local` for the host's, or "" for the image's. `zonesDir`: where the host has its zones. */
  readonly timeZone: { readonly zone: string; readonly zonesDir: string };
  /** 0: GOMAXPROCS is nobody's business. */
  readonly minInjectedGomaxprocs: number;
  readonly imageVolumes: "mkdir" | "bind" | "ignore";
  /** Whether OCI artifacts can be mounted as image volumes. */
  readonly artifactMounts: boolean;
  readonly seccompProfile: string;
  readonly privilegedSeccompProfile: string;
  readonly apparmorProfile: string;
  readonly deviceOwnershipFromSecurityContext: boolean;
}

export interface Ulimit {
  /** `RLIMIT_NOFILE` and the like. */
  readonly type: string;
  readonly soft: bigint;
  readonly hard: bigint;
}

export interface DeviceOption {
  readonly hostPath: string;
  readonly containerPath: string;
  readonly permissions: string;
}
