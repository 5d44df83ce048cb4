import { bool, int, list, type Section, text } from "../option.ts";

/** What is said on the command line (or in the environment) only and has no key in crio.conf. */
export const invocationOptions = {
  config: text("/etc/crio/crio.conf", {
    flag: "config",
    alias: "c",
    env: ["CONTAINER_CONFIG"],
    doc: `Path of the configuration file. Missing, it is skipped at the default path and an error at any other. Empty reads
      none.`,
  }),
  config_dir: text("/etc/crio/crio.conf.d", {
    flag: "config-dir",
    alias: "d",
    env: ["CONTAINER_CONFIG_DIR"],
    doc: `Directory of configuration files that are read after the main one, with its subdirectories and in the order of
      their names; every file counts, whatever its name. It may be missing.`,
  }),
  log: text("", {
    flag: "log",
    env: ["CONTAINER_LOG"],
    doc: "File to which the daemon's own log is appended. Empty means standard error.",
  }),
  log_format: text("text", {
    flag: "log-format",
    env: ["CONTAINER_LOG_FORMAT"],
    doc: `Form of the daemon's own log: "text" or "json".`,
  }),
  runtimes: list([], {
    flag: "runtimes",
    env: ["CONTAINER_RUNTIMES"],
    doc: `Runtime handlers, each as
      "name:path:root[:type[:privileged_without_host_devices[:config_path[:container_min_memory]]]]". An entry takes the
      place of the whole table [crio.runtime.runtimes.NAME].`,
  }),
  profile: bool(false, {
    flag: "profile",
    env: ["CONTAINER_PROFILE"],
    doc: "Whether the daemon can be profiled over HTTP on 127.0.0.1, with Node's profilers in place of Go's.",
  }),
  profile_port: int(6060, {
    flag: "profile-port",
    env: ["CONTAINER_PROFILE_PORT"],
    doc: "Port for --profile.",
  }),
  profile_cpu: text("", {
    flag: "profile-cpu",
    env: ["CONTAINER_PROFILE_CPU"],
    doc: "File into which a CPU profile (V8's .cpuprofile) of the daemon's whole life is written.",
  }),
  profile_mem: text("", {
    flag: "profile-mem",
    env: ["CONTAINER_PROFILE_MEM"],
    doc: "File into which a heap profile (V8's .heapprofile) is written when the daemon ends.",
  }),
  enable_profile_unix_socket: bool(false, {
    flag: "enable-profile-unix-socket",
    env: ["ENABLE_PROFILE_UNIX_SOCKET"],
    doc: "Whether the profilers are served on the CRI socket too, below /debug/pprof/.",
  }),
  registries_conf: text("", {
    flag: "registries-conf",
    env: ["CONTAINER_REGISTRIES_CONF"],
    hidden: true,
    doc: "File in place of /etc/containers/registries.conf.",
  }),
  registries_conf_dir: text("", {
    flag: "registries-conf-dir",
    env: ["CONTAINER_REGISTRIES_CONF_DIR"],
    hidden: true,
    doc: "Directory in place of /etc/containers/registries.conf.d.",
  }),
  address: text("", {
    flag: "address",
    hidden: true,
    doc: "Swallowed: containerd's shims pass it to the publish command.",
  }),
} satisfies Section;
