/**
 * `config.json` of a container bundle: the OCI runtime specification, in the shape and with the field names of its JSON.
 * Only what CRI-O writes, or what hooks, CDI and NRI add, is listed.
 * Integers that the specification gives 64 bits and that are not small by nature are `bigint`; `runtimeJson` writes them.
 */
export interface RuntimeSpec {
  readonly ociVersion: string;
  readonly process?: Process;
  readonly root?: Root;
  readonly hostname?: string;
  readonly mounts?: readonly Mount[];
  readonly hooks?: Hooks;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly linux?: Linux;
}

/**
 * The version that we declare. Runtimes read it before anything else, and disagree: runc compares nothing; crun since 1.14.3
 * neither, but crun before that refuses what is not 1.0 or 1.1 ("unknown version specified"). 1.2.1 is the first version that
 * has everything written here (idmapped mounts, recursively read-only mounts, `execCPUAffinity`), and the one Debian 13's crun
 * 1.21 and runc 1.1.15 are used with.
 */
export const ociVersion = "1.2.1";

export interface Root {
  readonly path: string;
  readonly readonly?: boolean;
}

export interface Process {
  readonly terminal?: boolean;
  readonly user: User;
  readonly args: readonly string[];
  readonly env?: readonly string[];
  readonly cwd: string;
  readonly capabilities?: Capabilities;
  readonly rlimits?: readonly Rlimit[];
  readonly noNewPrivileges?: boolean;
  readonly apparmorProfile?: string;
  readonly oomScoreAdj?: number;
  readonly selinuxLabel?: string;
  readonly scheduler?: Readonly<Record<string, unknown>>;
  readonly ioPriority?: { readonly class: string; readonly priority: number };
  readonly execCPUAffinity?: { readonly initial?: string; readonly final?: string };
}

export interface User {
  readonly uid: number;
  readonly gid: number;
  readonly umask?: number;
  readonly additionalGids?: readonly number[];
}

/** Names with the prefix `CAP_`. */
export interface Capabilities {
  readonly bounding?: readonly string[];
  readonly effective?: readonly string[];
  readonly inheritable?: readonly string[];
  readonly permitted?: readonly string[];
  readonly ambient?: readonly string[];
}

export interface Rlimit {
  /** `RLIMIT_NOFILE` and the like. */
  readonly type: string;
  /** 2^64-1 is "unlimited". */
  readonly hard: bigint;
  readonly soft: bigint;
}

export interface Mount {
  readonly destination: string;
  readonly type?: string;
  readonly source?: string;
  readonly options?: readonly string[];
  readonly uidMappings?: readonly LinuxIdMapping[];
  readonly gidMappings?: readonly LinuxIdMapping[];
}

export interface LinuxIdMapping {
  readonly containerID: number;
  readonly hostID: number;
  readonly size: number;
}

export interface Hook {
  readonly path: string;
  readonly args?: readonly string[];
  readonly env?: readonly string[];
  /** Seconds. */
  readonly timeout?: number;
}

export interface Hooks {
  readonly prestart?: readonly Hook[];
  readonly createRuntime?: readonly Hook[];
  readonly createContainer?: readonly Hook[];
  readonly startContainer?: readonly Hook[];
  readonly poststart?: readonly Hook[];
  readonly poststop?: readonly Hook[];
}

export interface Linux {
  readonly uidMappings?: readonly LinuxIdMapping[];
  readonly gidMappings?: readonly LinuxIdMapping[];
  readonly sysctl?: Readonly<Record<string, string>>;
  readonly resources?: LinuxResources;
  readonly cgroupsPath?: string;
  readonly namespaces?: readonly LinuxNamespace[];
  readonly devices?: readonly LinuxDevice[];
  readonly seccomp?: LinuxSeccomp;
  readonly rootfsPropagation?: string;
  readonly maskedPaths?: readonly string[];
  readonly readonlyPaths?: readonly string[];
  readonly mountLabel?: string;
  readonly intelRdt?: LinuxIntelRdt;
}

export type LinuxNamespaceType = "pid" | "network" | "ipc" | "uts" | "mount" | "user" | "cgroup" | "time";

export interface LinuxNamespace {
  readonly type: LinuxNamespaceType;
  /** A namespace to join; absent: a new one. */
  readonly path?: string;
}

export interface LinuxDevice {
  /** Inside the container. */
  readonly path: string;
  readonly type: LinuxDeviceType;
  readonly major: number;
  readonly minor: number;
  /** Permission bits. */
  readonly fileMode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

/** Block, character (buffered `c`, unbuffered `u`), FIFO. */
export type LinuxDeviceType = "b" | "c" | "u" | "p";

export interface LinuxDeviceRule {
  readonly allow: boolean;
  /** Absent: all types. */
  readonly type?: "a" | "b" | "c" | "u";
  /** Absent: all numbers. */
  readonly major?: number;
  readonly minor?: number;
  /** Some of `rwm`. */
  readonly access?: string;
}

export interface LinuxResources {
  readonly devices?: readonly LinuxDeviceRule[];
  readonly memory?: LinuxMemory;
  readonly cpu?: LinuxCpu;
  readonly pids?: { readonly limit: bigint };
  readonly blockIO?: LinuxBlockIo;
  readonly hugepageLimits?: readonly LinuxHugepageLimit[];
  /** cgroup v2: file name → content. */
  readonly unified?: Readonly<Record<string, string>>;
}

/** Bytes; -1 is "unlimited". */
export interface LinuxMemory {
  readonly limit?: bigint;
  readonly reservation?: bigint;
  /** Memory and swap together. */
  readonly swap?: bigint;
  readonly kernel?: bigint;
  readonly kernelTCP?: bigint;
  readonly swappiness?: bigint;
  readonly disableOOMKiller?: boolean;
  readonly useHierarchy?: boolean;
}

export interface LinuxCpu {
  readonly shares?: bigint;
  /** Microseconds of each period; -1 is "unlimited". */
  readonly quota?: bigint;
  readonly burst?: bigint;
  readonly period?: bigint;
  readonly realtimeRuntime?: bigint;
  readonly realtimePeriod?: bigint;
  readonly cpus?: string;
  readonly mems?: string;
  readonly idle?: bigint;
}

export interface LinuxHugepageLimit {
  /** `2MB`, `1GB`. */
  readonly pageSize: string;
  readonly limit: bigint;
}

export interface LinuxBlockIo {
  readonly weight?: number;
  readonly leafWeight?: number;
  readonly weightDevice?: readonly LinuxWeightDevice[];
  readonly throttleReadBpsDevice?: readonly LinuxThrottleDevice[];
  readonly throttleWriteBpsDevice?: readonly LinuxThrottleDevice[];
  readonly throttleReadIOPSDevice?: readonly LinuxThrottleDevice[];
  readonly throttleWriteIOPSDevice?: readonly LinuxThrottleDevice[];
}

export interface LinuxWeightDevice {
  readonly major: number;
  readonly minor: number;
  readonly weight?: number;
  readonly leafWeight?: number;
}

export interface LinuxThrottleDevice {
  readonly major: number;
  readonly minor: number;
  /** Bytes or operations a second. */
  readonly rate: bigint;
}

export interface LinuxIntelRdt {
  readonly closID?: string;
  readonly l3CacheSchema?: string;
  readonly memBwSchema?: string;
  readonly enableCMT?: boolean;
  readonly enableMBM?: boolean;
}

export type SeccompAction =
  | "SCMP_ACT_KILL"
  | "SCMP_ACT_KILL_PROCESS"
  | "SCMP_ACT_KILL_THREAD"
  | "SCMP_ACT_TRAP"
  | "SCMP_ACT_ERRNO"
  | "SCMP_ACT_TRACE"
  | "SCMP_ACT_ALLOW"
  | "SCMP_ACT_LOG"
  | "SCMP_ACT_NOTIFY";

export type SeccompOperator =
  | "SCMP_CMP_NE"
  | "SCMP_CMP_LT"
  | "SCMP_CMP_LE"
  | "SCMP_CMP_EQ"
  | "SCMP_CMP_GE"
  | "SCMP_CMP_GT"
  | "SCMP_CMP_MASKED_EQ";

export interface LinuxSeccomp {
  readonly defaultAction: SeccompAction;
  /** errno of a default action ERRNO or TRACE; absent: EPERM. */
  readonly defaultErrnoRet?: number;
  /** `SCMP_ARCH_X86_64` and the like. */
  readonly architectures?: readonly string[];
  readonly flags?: readonly string[];
  /** Socket that receives the notify descriptor. */
  readonly listenerPath?: string;
  readonly listenerMetadata?: string;
  readonly syscalls?: readonly LinuxSyscallRule[];
}

/** All of `args` must hold, except that several for one argument are alternatives. */
export interface LinuxSyscallRule {
  readonly names: readonly string[];
  readonly action: SeccompAction;
  readonly errnoRet?: number;
  readonly args?: readonly LinuxSeccompArgument[];
}

export interface LinuxSeccompArgument {
  /** 0 to 5. */
  readonly index: number;
  readonly value: bigint;
  /** With MASKED_EQ: `(argument & value) == valueTwo`. */
  readonly valueTwo?: bigint;
  readonly op: SeccompOperator;
}
