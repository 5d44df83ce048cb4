/**
 * Annotations of `config.json` that CRI-O writes and reads again after a restart (reference: ondisk.md 3.3).
 * They are the record of a pod or container; what pods and images bring along never gets in under these names.
 */
export const crioAnnotation = {
  annotations: "io.kubernetes.cri-o.Annotations",
  cgroupParent: "io.kubernetes.cri-o.CgroupParent",
  cniResult: "io.kubernetes.cri-o.CNIResult",
  containerId: "io.kubernetes.cri-o.ContainerID",
  containerName: "io.kubernetes.cri-o.ContainerName",
  containerType: "io.kubernetes.cri-o.ContainerType",
  created: "io.kubernetes.cri-o.Created",
  hostName: "io.kubernetes.cri-o.HostName",
  hostNetwork: "io.kubernetes.cri-o.HostNetwork",
  hostnamePath: "io.kubernetes.cri-o.HostnamePath",
  image: "io.kubernetes.cri-o.Image",
  imageName: "io.kubernetes.cri-o.ImageName",
  imageRef: "io.kubernetes.cri-o.ImageRef",
  imageRepoDigests: "io.kubernetes.cri-o.ImageRepoDigests",
  kubeName: "io.kubernetes.cri-o.KubeName",
  labels: "io.kubernetes.cri-o.Labels",
  logPath: "io.kubernetes.cri-o.LogPath",
  manager: "io.container.manager",
  metadata: "io.kubernetes.cri-o.Metadata",
  mountPoint: "io.kubernetes.cri-o.MountPoint",
  name: "io.kubernetes.cri-o.Name",
  namespace: "io.kubernetes.cri-o.Namespace",
  namespaceOptions: "io.kubernetes.cri-o.NamespaceOptions",
  platformRuntimePath: "platform-runtime-path.crio.io",
  podLinuxOverhead: "pod-linux-overhead.crio.io",
  podLinuxResources: "pod-linux-resources.crio.io",
  portMappings: "io.kubernetes.cri-o.PortMappings",
  privilegedRuntime: "io.kubernetes.cri-o.PrivilegedRuntime",
  resolvPath: "io.kubernetes.cri-o.ResolvPath",
  runtimeHandler: "io.kubernetes.cri-o.RuntimeHandler",
  sandboxId: "io.kubernetes.cri-o.SandboxID",
  sandboxName: "io.kubernetes.cri-o.SandboxName",
  seccompProfilePath: "io.kubernetes.cri-o.SeccompProfilePath",
  shmPath: "io.kubernetes.cri-o.ShmPath",
  spoofed: "spoofed.crio.io",
  stdin: "io.kubernetes.cri-o.Stdin",
  stdinOnce: "io.kubernetes.cri-o.StdinOnce",
  stopSignal: "org.opencontainers.image.stopSignal",
  tty: "io.kubernetes.cri-o.TTY",
  volumes: "io.kubernetes.cri-o.Volumes",
} as const;

/** The value of `io.container.manager`; containers of another manager in the same store are left alone. */
export const crioManager = "cri-o";

/** Older spellings that CRI-O before 1.33 wrote: accepted when a record is read. */
export const olderCrioAnnotation = {
  platformRuntimePath: "io.kubernetes.cri-o.PlatformRuntimePath",
  podLinuxOverhead: "io.kubernetes.cri-o.PodLinuxOverhead",
  podLinuxResources: "io.kubernetes.cri-o.PodLinuxResources",
  spoofed: "io.kubernetes.cri-o.Spoofed",
} as const;

/** `io.kubernetes.cri-o.IP.0` and so on: the pod's addresses. */
export function ipAnnotation(index: number): string {
  return `io.kubernetes.cri-o.IP.${index}`;
}

/** Whether only crio itself may write the annotation, so that nothing from a pod may carry the name. */
export function isCrioAnnotation(name: string): boolean {
  return reservedNames.has(name) || name.startsWith("io.kubernetes.cri-o.IP.");
}

const reservedNames: ReadonlySet<string> = new Set([
  ...Object.values(crioAnnotation),
  ...Object.values(olderCrioAnnotation),
]);

/** A feature that is asked for by annotation: its name, and the older one that is still honoured. */
export interface FeatureAnnotation {
  readonly name: string;
  readonly older?: string;
}

/** Features asked for by annotation (reference: annotations-and-features.md 1.1 and 1.2). */
export const featureAnnotation = {
  cgroup2MountHierarchyRw: feature(
    "cgroup2-mount-hierarchy-rw.crio.io",
    "io.kubernetes.cri-o.cgroup2-mount-hierarchy-rw",
  ),
  cpuCStates: feature("cpu-c-states.crio.io"),
  cpuFreqGovernor: feature("cpu-freq-governor.crio.io"),
  cpuLoadBalancing: feature("cpu-load-balancing.crio.io"),
  cpuQuota: feature("cpu-quota.crio.io"),
  cpuShared: feature("cpu-shared.crio.io"),
  devices: feature("devices.crio.io", "io.kubernetes.cri-o.Devices"),
  disableFips: feature("disable-fips.crio.io", "io.kubernetes.cri-o.DisableFIPS"),
  irqLoadBalancing: feature("irq-load-balancing.crio.io"),
  linkLogs: feature("link-logs.crio.io", "io.kubernetes.cri-o.LinkLogs"),
  platformRuntimePath: feature(crioAnnotation.platformRuntimePath, olderCrioAnnotation.platformRuntimePath),
  podLinuxOverhead: feature(crioAnnotation.podLinuxOverhead, olderCrioAnnotation.podLinuxOverhead),
  podLinuxResources: feature(crioAnnotation.podLinuxResources, olderCrioAnnotation.podLinuxResources),
  seccompNotifierAction: feature("seccomp-notifier-action.crio.io", "io.kubernetes.cri-o.seccompNotifierAction"),
  seccompProfile: feature("seccomp-profile.crio.io", "seccomp-profile.kubernetes.cri-o.io"),
  shmSize: feature("shm-size.crio.io", "io.kubernetes.cri-o.ShmSize"),
  spoofed: feature(crioAnnotation.spoofed, olderCrioAnnotation.spoofed),
  stopSignal: feature(crioAnnotation.stopSignal),
  traceSyscall: feature("io.containers.trace-syscall"),
  trySkipVolumeSelinuxLabel: feature(
    "try-skip-volume-selinux-label.crio.io",
    "io.kubernetes.cri-o.TrySkipVolumeSELinuxLabel",
  ),
  umask: feature("umask.crio.io", "io.kubernetes.cri-o.umask"),
  unifiedCgroup: feature("unified-cgroup.crio.io", "io.kubernetes.cri-o.UnifiedCgroup"),
  usernsMode: feature("userns-mode.crio.io", "io.kubernetes.cri-o.userns-mode"),
} as const;

/** What OCI runtimes and their hooks take for instructions; a trailing dot stands for a family of names. */
export const runtimeAnnotations: readonly string[] = [
  "bundle",
  "io.kubernetes.cri.container-type",
  "io.kubernetes.cri.rdt-class",
  "module.wasm.image/variant",
  "org.criu.config",
  "org.systemd.property.",
  "run.oci.",
];

/**
 * Every annotation that gives a pod more than it has without: a handler or workload has to allow it by name (reference:
 * annotations-and-features.md 1). What starts with one of these counts as that one.
 */
export const knownAnnotations: readonly string[] = [
  ...Object.values(featureAnnotation).flatMap(({ name, older }) => (older === undefined ? [name] : [name, older])),
  ...runtimeAnnotations,
];

/** Read by crio, but no feature that a handler can allow or withhold. */
export const skipGomaxprocsAnnotation = "skip-gomaxprocs.crio.io";

/**
 * What a pod says for a feature: under its name, else under the older name. `suffix` picks the form for one container, such as
 * `cpu-quota.crio.io/CTR` (older: `io.kubernetes.cri-o.X/CTR`, or with a dot).
 */
export function featureValue(
  annotations: Readonly<Record<string, string>>,
  { name, older }: FeatureAnnotation,
  suffix?: string,
): string | undefined {
  const names = suffix === undefined ? [name, older] : [name, older].flatMap((base) => suffixed(base, suffix));
  const found = names.find((candidate) => candidate !== undefined && Object.hasOwn(annotations, candidate));
  return found === undefined ? undefined : annotations[found];
}

function suffixed(base: string | undefined, suffix: string): readonly string[] {
  return base === undefined ? [] : [`${base}/${suffix}`, `${base}.${suffix}`];
}

function feature(name: string, older?: string): FeatureAnnotation {
  return older === undefined ? { name } : { name, older };
}
