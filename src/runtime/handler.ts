/** One entry of the runtimes table, resolved: which OCI runtime runs a container and which monitor watches it. */
export interface RuntimeHandler {
  readonly name: string;
  /** Absolute path of the OCI runtime's program. */
  readonly path: string;
  /** Value of the runtime's `--root`: where it keeps its own state. */
  readonly root: string;
  /** The runtime is told `--systemd-cgroup`. */
  readonly systemdCgroup: boolean;
  readonly monitor: Monitor;
  readonly createTimeoutMs: number;
  /** Least memory limit of a container, in bytes: below it the runtime itself does not start. */
  readonly minMemoryBytes: bigint;
  readonly noSyncLog: boolean;
  readonly privilegedWithoutHostDevices: boolean;
  readonly allowedAnnotations: readonly string[];
  readonly defaultAnnotations: Readonly<Record<string, string>>;
  /** `os/arch` of an image to the runtime for it. */
  readonly platformPaths: Readonly<Record<string, string>>;
  /** Path of this handler's own default seccomp profile, or "". */
  readonly seccompProfile: string;
  readonly features: RuntimeFeatures;
  /**
   * The CPUs that the runtime and the monitors of containers run on (`infra_ctr_cpuset`); none: any. What is executed in a container would
   * inherit them, so that the runtime does that anywhere.
   */
  readonly programCpus: readonly number[];
}

/** The conmon that watches a handler's containers. */
export interface Monitor {
  /** Absolute path of conmon. */
  readonly path: string;
  /** `K=V` entries for conmon and what it starts. */
  readonly env: readonly string[];
  /** Slice for the monitor's scope, `pod`, or "" for the daemon's own cgroup. */
  readonly cgroup: string;
}

/** What a runtime says of itself (`features`), as far as CRI asks for it. */
export interface RuntimeFeatures {
  readonly idmappedMounts: boolean;
  readonly recursiveReadOnly: boolean;
}

/** The environment of every program started for a handler: the monitor's own, and what runtimes look for. */
export function runtimeEnv(handler: RuntimeHandler): Record<string, string> {
  const env: Record<string, string> = {};
  for (const entry of handler.monitor.env) {
    const cut = entry.indexOf("=");
    if (cut > 0) env[entry.slice(0, cut)] = entry.slice(cut + 1);
  }
  env.CRI_O_EXTERNAL = "1";
  const path = process.env.PATH;
  if (path !== undefined) env.PATH ??= path;
  const runtimeDir = process.env.XDG_RUNTIME_DIR;
  if (runtimeDir !== undefined) env.XDG_RUNTIME_DIR = runtimeDir;
  return env;
}
