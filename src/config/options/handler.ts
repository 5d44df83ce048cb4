import { annotationsProblem } from "../annotations.ts";
import { bool, int, list, map, type Section, type SectionValues, text } from "../option.ts";

/**
 * `[crio.runtime.runtimes.NAME]`: one way to run containers, which a pod chooses by its RuntimeClass.
 * The defaults are those of a table that sets nothing; `completeConfig` fills in what depends on other options.
 */
export const handlerOptions = {
  runtime_path: text("", {
    doc: "Path of the runtime program. Empty looks for a program with the handler's name in $PATH.",
  }),
  runtime_type: text("", {
    doc: `Kind of runtime: "oci" (a command such as crun or runc; also when empty), "vm" (a containerd shim, version 2) or
      "pod" (conmon-rs, one monitor per pod).`,
  }),
  runtime_root: text("", {
    doc: `Directory in which the runtime keeps its state ("--root"). Empty means /run/crun.`,
  }),
  runtime_config_path: text("", {
    notYet: 'there is no runtime of type "vm"',
    doc: `Configuration file handed to the runtime; only with type "vm".`,
  }),
  inherit_default_runtime: bool(false, {
    doc: "Whether path, type, configuration file and root are those of the default runtime.",
  }),
  privileged_without_host_devices: bool(false, {
    doc: "Whether privileged containers are kept from the host's devices.",
  }),
  allowed_annotations: list([], {
    check: annotationsProblem,
    doc: `Annotations that change how a pod is run and that pods of this handler may use; all others of the known ones are
      removed from pods. For example "devices.crio.io", "io.kubernetes.cri-o.userns-mode", "run.oci.".`,
  }),
  monitor_path: text("", {
    doc: "Path of the conmon program. Empty looks for conmon in $PATH.",
  }),
  monitor_cgroup: text("", {
    doc: `Cgroup of conmon: "pod" for the pod's, or with cgroup_manager "systemd" a slice. Empty means system.slice with
      systemd, and the daemon's own with cgroupfs.`,
  }),
  monitor_env: list([], {
    doc: `Environment of conmon, and of the runtime that it starts, each as "NAME=value".`,
  }),
  monitor_exec_cgroup: text("", {
    notYet: "the monitors of execs stay where conmon is",
    doc: `Cgroup of the conmon that watches an exec: "container" for the container's. Empty leaves it in monitor_cgroup.`,
  }),
  platform_runtime_paths: map(new Map(), {
    doc: `Other runtime programs for images of other platforms, as "os/arch" = "path", for example
      "wasi/wasm32" = "/usr/bin/crun-wasm".`,
  }),
  runtime_pull_image: bool(false, {
    notYet: 'there is no runtime of type "vm"',
    doc: `Whether the image is pulled inside the guest; only with type "vm".`,
  }),
  container_min_memory: text("", {
    doc: "Lowest memory limit a container may ask for, such as 12MiB. Empty means 12MiB.",
  }),
  no_sync_log: bool(false, {
    doc: `Whether conmon leaves out the sync of a container's log to disk when the container ends: faster, and lines may be
      lost in a crash. Only with type "oci".`,
  }),
  default_annotations: map(new Map(), {
    doc: "Annotations given to every pod of this handler that does not set them itself. They are not filtered.",
  }),
  stream_websockets: bool(false, {
    notYet: 'there is no runtime of type "pod"',
    doc: `Whether exec, attach and port-forward go over WebSocket directly to the monitor; only with type "pod" and
      conmon-rs 0.7.0 or later.`,
  }),
  exec_cpu_affinity: text("", {
    notYet: "execs start on any CPU",
    doc: `CPU on which exec processes start: "first" for the first of the container's (of its shared ones when it has some).
      Empty leaves it to the kernel.`,
  }),
  seccomp_profile: text("", {
    doc: "Seccomp profile (JSON) of this handler's containers that ask for RuntimeDefault. Empty means the global one.",
  }),
  container_create_timeout: int(0, {
    doc: `Seconds that creating a container may take before it is given up. Zero means 240; less than 30 is raised to
      30.`,
  }),
} satisfies Section;

/** A runtime handler as configured. */
export type RuntimeHandler = SectionValues<typeof handlerOptions>;
