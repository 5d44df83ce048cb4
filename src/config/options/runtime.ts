import { parseGoRegExp } from "../../base/index.ts";
import { capabilitiesProblem } from "../capabilities.ts";
import { parseCpuset } from "../cpuset.ts";
import { parseDevice } from "../device.ts";
import { parseLogLevel } from "../log-options.ts";
import { bool, int, int64, list, parses, type Section, text } from "../option.ts";
import { parseSysctl } from "../sysctl.ts";
import { parseUlimit } from "../ulimit.ts";

/** `[crio.runtime]`: how containers are run. Its tables `runtimes.NAME` and `workloads.NAME` have rows of their own. */
export const runtimeOptions = {
  default_ulimits: list([], {
    flag: "default-ulimits",
    env: ["CONTAINER_DEFAULT_ULIMITS"],
    check: eachParses(parseUlimit),
    doc: `Resource limits of every container, each as "name=soft[:hard]", for example "nofile=1024:2048". Names: core,
      cpu, data, fsize, locks, memlock, msgqueue, nice, nofile, nproc, rss, rtprio, rttime, sigpending, stack. An empty
      list leaves the limits that the daemon itself runs under.`,
  }),
  no_pivot: bool(false, {
    flag: "no-pivot",
    env: ["CONTAINER_NO_PIVOT"],
    doc: `Whether containers enter their root file system by MS_MOVE and chroot instead of pivot_root; only for nodes that
      run from an initial ramdisk.`,
  }),
  decryption_keys_path: text("/etc/crio/keys/", {
    isPath: true,
    flag: "decryption-keys-path",
    reload: "live",
    doc: `Directory with the private keys for encrypted images. It may be missing. Symbolic links in it are refused when
      an image is pulled.`,
  }),
  additional_artifact_stores: list([], {
    flag: "additional-artifact-stores",
    check: (paths) => {
      const relative = paths.find((path) => !path.startsWith("/"));
      return relative === undefined
        ? undefined
        : `additional artifact store ${JSON.stringify(relative)} is not absolute`;
    },
    doc: `Directories with read-only stores of OCI artifacts, searched before anything is pulled; artifacts lie in
      "artifacts" below each. Absolute paths.`,
  }),
  conmon: text("", {
    flag: "conmon",
    env: ["CONTAINER_CONMON"],
    deprecated: "set monitor_path in [crio.runtime.runtimes.NAME]",
    doc: "Path of the conmon program for all OCI runtimes; takes the place of their monitor_path.",
  }),
  conmon_cgroup: text("", {
    flag: "conmon-cgroup",
    env: ["CONTAINER_CONMON_CGROUP"],
    deprecated: "set monitor_cgroup in [crio.runtime.runtimes.NAME]",
    doc: "Cgroup of the conmon processes of all OCI runtimes; takes the place of their monitor_cgroup.",
  }),
  conmon_env: list([], {
    flag: "conmon-env",
    env: ["CONTAINER_CONMON_ENV"],
    deprecated: "set monitor_env in [crio.runtime.runtimes.NAME]",
    doc: "Environment of the conmon processes of all OCI runtimes; takes the place of their monitor_env.",
  }),
  default_env: list([], {
    flag: "default-env",
    env: ["CONTAINER_DEFAULT_ENV"],
    doc: `Environment variables of every container, each as "NAME=value"; what the image or the pod sets counts more.`,
  }),
  min_injected_gomaxprocs: int(0, {
    flag: "min-injected-gomaxprocs",
    env: ["CONTAINER_INJECT_GOMAXPROCS"],
    check: (value) => (value < 0 ? "min_injected_gomaxprocs must not be negative" : undefined),
    doc: `Lowest GOMAXPROCS to set in burstable and best-effort containers that have no CPU limit and do not set it
      themselves; the CPU request may raise it. Zero sets nothing.`,
  }),
  selinux: bool(false, {
    flag: "selinux",
    env: ["CONTAINER_SELINUX"],
    doc: `Whether containers get SELinux labels. The default is true on hosts where SELinux is enabled; false turns
      labelling off.`,
  }),
  seccomp_profile: text("", {
    isPath: true,
    flag: "seccomp-profile",
    env: ["CONTAINER_SECCOMP_PROFILE"],
    reload: "live",
    doc: `Seccomp profile (JSON) for containers that ask for RuntimeDefault. Empty means the built-in profile, which is also
      used when the file is missing; a file that cannot be parsed stops the start.`,
  }),
  privileged_seccomp_profile: text("", {
    isPath: true,
    flag: "privileged-seccomp-profile",
    env: ["CONTAINER_PRIVILEGED_SECCOMP_PROFILE"],
    reload: "live",
    doc: "Seccomp profile (JSON) that is put on privileged containers. Empty leaves them unconfined.",
  }),
  apparmor_profile: text("crio-default", {
    flag: "apparmor-profile",
    env: ["CONTAINER_APPARMOR_PROFILE"],
    reload: "live",
    doc: `AppArmor profile for containers that ask for RuntimeDefault. Empty or "crio-default" installs and uses the
      built-in profile, "unconfined" uses none; any other must have been loaded into the kernel.`,
  }),
  blockio_config_file: text("", {
    isPath: true,
    flag: "blockio-config-file",
    reload: "live",
    notYet: "no pod gets a block I/O class",
    doc: "YAML file that defines the block I/O classes pods can ask for by annotation. Empty turns them off.",
  }),
  blockio_reload: bool(false, {
    flag: "blockio-reload",
    reload: "live",
    notYet: "no pod gets a block I/O class",
    doc: "Whether blockio_config_file is read again, and its devices looked up anew, before each use.",
  }),
  irqbalance_config_file: text("/etc/sysconfig/irqbalance", {
    isPath: true,
    flag: "irqbalance-config-file",
    notYet: "no CPU is kept from interrupts",
    doc: "Configuration of the irqbalance service, in which CPUs of containers without interrupts are banned.",
  }),
  irqbalance_config_restore_file: text("/etc/sysconfig/orig_irq_banned_cpus", {
    flag: "irqbalance-config-restore-file",
    notYet: "no CPU is kept from interrupts",
    doc: `File that keeps the original list of banned CPUs, put back after a reboot. "disable" turns saving and restoring
      off.`,
  }),
  rdt_config_file: text("", {
    isPath: true,
    flag: "rdt-config-file",
    reload: "live",
    notYet: "no pod gets an RDT class",
    doc: `YAML file that defines the Intel RDT classes (cache and memory bandwidth) pods can ask for by annotation. Empty
      turns them off; hosts without RDT ignore it.`,
  }),
  cgroup_manager: text("systemd", {
    flag: "cgroup-manager",
    env: ["CONTAINER_CGROUP_MANAGER"],
    checkedAt: "start",
    check: oneOf("cgroup_manager", ["systemd", "cgroupfs"]),
    doc: `Who manages cgroups: "systemd" or "cgroupfs". Must be what the kubelet's cgroupDriver says.`,
  }),
  separate_pull_cgroup: text("", {
    flag: "separate-pull-cgroup",
    env: ["PULL_IN_A_CGROUP"],
    notYet: "images are pulled in the daemon's own cgroup",
    doc: `Cgroup in which images are pulled, so that the memory and CPU of a pull are not the daemon's: a systemd slice,
      or "pod" for the cgroup of the pod that needs the image. Empty pulls in the daemon's own. Needs cgroup_manager
      "systemd".`,
  }),
  default_capabilities: list(
    ["CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "SETGID", "SETUID", "SETPCAP", "NET_BIND_SERVICE", "KILL"],
    {
      flag: "default-capabilities",
      env: ["CONTAINER_DEFAULT_CAPABILITIES"],
      check: capabilitiesProblem,
      doc: `Capabilities of containers that neither add nor drop any, with or without the prefix "CAP_". An empty list
        gives none.`,
    },
  ),
  add_inheritable_capabilities: bool(false, {
    flag: "add-inheritable-capabilities",
    env: ["CONTAINER_ADD_INHERITABLE_CAPABILITIES"],
    doc: `Whether capabilities are put into the inheritable set too, as was done before CVE-2022-27652; only for images
      whose programs have inheritable file capabilities.`,
  }),
  default_sysctls: list([], {
    flag: "default-sysctls",
    env: ["CONTAINER_DEFAULT_SYSCTLS"],
    check: eachParses(parseSysctl),
    doc: `Sysctls of every pod, each as "key=value" without blanks. Those of a namespace that the pod shares with the host
      are left out with a warning.`,
  }),
  allowed_devices: list(["/dev/fuse", "/dev/net/tun"], {
    flag: "allowed-devices",
    env: ["CONTAINER_ALLOWED_DEVICES"],
    doc: `Devices that pods may ask for with the annotation "devices.crio.io".`,
  }),
  additional_devices: list([], {
    flag: "additional-devices",
    env: ["CONTAINER_ADDITIONAL_DEVICES"],
    check: eachParses(parseDevice),
    doc: `Devices that every container gets, each as "/dev/host[:/dev/container[:permissions]]" with permissions out of
      "rwm", for example "/dev/sdc:/dev/xvdc:rwm".`,
  }),
  cdi_spec_dirs: list(["/etc/cdi", "/var/run/cdi"], {
    isPath: true,
    flag: "cdi-spec-dirs",
    env: ["CONTAINER_CDI_SPEC_DIRS"],
    reload: "live",
    doc: "Directories with Container Device Interface specifications; a later one counts more.",
  }),
  device_ownership_from_security_context: bool(false, {
    flag: "device-ownership-from-security-context",
    doc: `Whether devices in a container belong to the user and group of its security context instead of root, so that
      containers without root can use them.`,
  }),
  hooks_dir: list(["/usr/share/containers/oci/hooks.d"], {
    isPath: true,
    flag: "hooks-dir",
    env: ["CONTAINER_HOOKS_DIR"],
    reload: "content",
    doc: `Directories with OCI hooks (*.json), watched for changes. A file in a later directory takes the place of one with
      the same name in an earlier. Missing directories are created where possible.`,
  }),
  default_mounts_file: text("", {
    isPath: true,
    flag: "default-mounts-file",
    env: ["CONTAINER_DEFAULT_MOUNTS_FILE"],
    doc: `File whose lines "SOURCE[:DESTINATION]" name host directories copied into every container. Empty means
      /etc/containers/mounts.conf, or else /usr/share/containers/mounts.conf.`,
  }),
  pids_limit: int64(-1n, {
    flag: "pids-limit",
    env: ["CONTAINER_PIDS_LIMIT"],
    deprecated: "set podPidsLimit in the kubelet's configuration",
    doc: "Highest number of processes in a container; zero or less sets no limit.",
  }),
  log_size_max: int64(-1n, {
    flag: "log-size-max",
    env: ["CONTAINER_LOG_SIZE_MAX"],
    deprecated: "set containerLogMaxSize in the kubelet's configuration",
    check: (size) =>
      size >= 0n && size < 8192n
        ? "log size max should be negative or >= 8192 (one block of the log reader)"
        : undefined,
    doc: "Size in bytes at which conmon truncates a container's log; negative sets no limit, otherwise at least 8192.",
  }),
  log_to_journald: bool(false, {
    flag: "log-journald",
    env: ["CONTAINER_LOG_JOURNALD"],
    doc: "Whether container output goes to the systemd journal besides the Kubernetes log file.",
  }),
  container_exits_dir: text("/var/run/crio/exits", {
    isPath: true,
    flag: "container-exits-dir",
    env: ["CONTAINER_EXITS_DIR"],
    doc: "Directory into which conmon writes the exit code of each container.",
  }),
  container_attach_socket_dir: text("/var/run/crio", {
    isPath: true,
    flag: "container-attach-socket-dir",
    env: ["CONTAINER_ATTACH_SOCKET_DIR"],
    doc: "Directory of the sockets through which attach reaches a container.",
  }),
  bind_mount_prefix: text("", {
    isPath: true,
    flag: "bind-mount-prefix",
    env: ["CONTAINER_BIND_MOUNT_PREFIX"],
    doc: "Directory put in front of the source of every bind mount, for a daemon that sees the host below a directory.",
  }),
  read_only: bool(false, {
    flag: "read-only",
    env: ["CONTAINER_READ_ONLY"],
    doc: "Whether the root file system of every container is read-only; /run, /tmp and /var/tmp get a tmpfs.",
  }),
  log_level: text("info", {
    flag: "log-level",
    alias: "l",
    env: ["CONTAINER_LOG_LEVEL"],
    reload: "live",
    check: parses(parseLogLevel),
    doc: "How much the daemon logs: trace, debug, info, warn, error, fatal or panic.",
  }),
  log_filter: text("", {
    flag: "log-filter",
    env: ["CONTAINER_LOG_FILTER"],
    reload: "live",
    check: parses(parseGoRegExp),
    doc: "Regular expression; log lines whose message it does not match are dropped. Empty drops none.",
  }),
  uid_mappings: text("", {
    flag: "uid-mappings",
    env: ["CONTAINER_UID_MAPPINGS"],
    deprecated: "use Kubernetes user namespaces (hostUsers: false)",
    notYet: "containers have the host's ids",
    doc: `User ids of every container as "container:host:size", several joined by commas; needs gid_mappings. Empty keeps
      the host's.`,
  }),
  gid_mappings: text("", {
    flag: "gid-mappings",
    env: ["CONTAINER_GID_MAPPINGS"],
    deprecated: "use Kubernetes user namespaces (hostUsers: false)",
    notYet: "containers have the host's ids",
    doc: `Group ids of every container as "container:host:size", several joined by commas; needs uid_mappings. Empty keeps
      the host's.`,
  }),
  minimum_mappable_uid: int(-1, {
    flag: "minimum-mappable-uid",
    env: ["CONTAINER_MINIMUM_MAPPABLE_UID"],
    deprecated: "use Kubernetes user namespaces (hostUsers: false)",
    notYet: "only the kubelet maps ids",
    doc: `Lowest host user id that a pod's explicit mapping may use, unless it is root's; negative sets no limit.`,
  }),
  minimum_mappable_gid: int(-1, {
    flag: "minimum-mappable-gid",
    env: ["CONTAINER_MINIMUM_MAPPABLE_GID"],
    deprecated: "use Kubernetes user namespaces (hostUsers: false)",
    notYet: "only the kubelet maps ids",
    doc: `Lowest host group id that a pod's explicit mapping may use, unless it is root's; negative sets no limit.`,
  }),
  ctr_stop_timeout: int(30, {
    flag: "ctr-stop-timeout",
    env: ["CONTAINER_STOP_TIMEOUT"],
    doc: `Seconds a container has to end by itself when it is stopped without a grace period of its own. Less than 30 is
      raised to 30.`,
  }),
  drop_infra_ctr: bool(true, {
    flag: "drop-infra-ctr",
    env: ["CONTAINER_DROP_INFRA_CTR"],
    doc: `Whether pods that need no infra (pause) container run without one. Pods with a PID namespace of their own for all
      containers keep it.`,
  }),
  infra_ctr_cpuset: text("", {
    flag: "infra-ctr-cpuset",
    env: ["CONTAINER_INFRA_CTR_CPUSET"],
    check: parses(parseCpuset),
    doc: `CPUs for infra containers and for the programs the daemon starts, as a list such as "0-3,8". Empty sets none.`,
  }),
  shared_cpuset: text("", {
    flag: "shared-cpuset",
    env: ["CONTAINER_SHARED_CPUSET"],
    notYet: "no container shares CPUs",
    doc: `CPUs that guaranteed containers may share besides their own when they ask for it by annotation, as a list such as
      "0-3,8".`,
  }),
  namespaces_dir: text("/var/run", {
    isPath: true,
    flag: "namespaces-dir",
    env: ["CONTAINER_NAMESPACES_DIR"],
    doc: "Directory below which the namespaces of pods are kept, in netns, ipcns, utsns, userns and pidns.",
  }),
  pinns_path: text("", {
    flag: "pinns-path",
    env: ["CONTAINER_PINNS_PATH"],
    doc: `Path of CRI-O's pinns program. Accepted so that existing files load; namespaces are made by the daemon itself and
      the program is not needed.`,
  }),
  enable_criu_support: bool(true, {
    flag: "enable-criu-support",
    env: ["CONTAINER_ENABLE_CRIU_SUPPORT"],
    deprecated: "set container_level_enabled in [crio.checkpoint_restore]",
    doc: "False turns checkpoint and restore off, whatever container_level_enabled says.",
  }),
  enable_pod_events: bool(false, {
    flag: "enable-pod-events",
    env: ["ENABLE_POD_EVENTS"],
    doc: "Whether the kubelet is told of changes by the GetContainerEvents call (evented PLEG).",
  }),
  default_runtime: text("crun", {
    flag: "default-runtime",
    env: ["CONTAINER_DEFAULT_RUNTIME"],
    doc: `Name of the runtime handler for pods that name none; must be defined in [crio.runtime.runtimes]. Empty means
      "crun".`,
  }),
  absent_mount_sources_to_reject: list([], {
    flag: "absent-mount-sources-to-reject",
    env: ["CONTAINER_ABSENT_MOUNT_SOURCES_TO_REJECT"],
    doc: `Host paths that are not created as directories when a container mounts them and they are missing; the container
      is refused instead. For example "/etc/hostname".`,
  }),
  hostnetwork_disable_selinux: bool(true, {
    flag: "hostnetwork-disable-selinux",
    env: ["CONTAINER_HOSTNETWORK_DISABLE_SELINUX"],
    doc: "Whether containers of pods in the host's network run without an SELinux process label.",
  }),
  disable_hostport_mapping: bool(false, {
    flag: "disable-hostport-mapping",
    env: ["DISABLE_HOSTPORT_MAPPING"],
    doc: "Whether host ports are left to others, such as the CNI plugins; nftables or iptables is then not needed.",
  }),
  timezone: text("", {
    flag: "timezone",
    alias: "tz",
    env: ["CONTAINER_TIME_ZONE"],
    doc: `Time zone of containers: a name such as "Europe/Vienna" that the host knows, or "local" for the host's. Empty
      leaves the image's.`,
  }),
} satisfies Section;

function oneOf(key: string, words: readonly string[]): (value: string) => string | undefined {
  return (value) =>
    words.includes(value) ? undefined : `invalid ${key} ${JSON.stringify(value)}: must be ${words.join(" or ")}`;
}

function eachParses(parse: (item: string) => unknown): (items: readonly string[]) => string | undefined {
  const problemOf = parses(parse);
  return (items) => items.map(problemOf).find((problem) => problem !== undefined);
}
