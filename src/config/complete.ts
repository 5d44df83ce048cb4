import { reasonOf } from "../base/index.ts";
import { builtInRuntime } from "./defaults.ts";
import type { Note } from "./layer.ts";
import { parseMemorySize } from "./memory-size.ts";
import type { Config, RuntimeHandler } from "./table.ts";

/** The cgroup of conmon under systemd when nothing else is said. */
const defaultMonitorSlice = "system.slice";

const defaultMinMemory = "12MiB";
const defaultCreateTimeoutSeconds = 240;
const lowestCreateTimeoutSeconds = 30;
const lowestStopTimeoutSeconds = 30;
const defaultMessageBytes = 83_886_080;

/**
 * Fills in and raises what other options or limits decide, so that whoever reads the configuration need not: monitor settings
 * of the handlers, inherited handlers, folded and replaced keys, lower limits. Changes nothing on a second run.
 */
export function completeConfig(config: Config): { readonly config: Config; readonly notes: readonly Note[] } {
  const notes: Note[] = [];
  const warn = (message: string, fields: Note["fields"]) => notes.push({ level: "warn", message, fields });
  const defaultRuntime = config.runtime.defaultRuntime || builtInRuntime;
  const completed: Config = {
    ...config,
    api: {
      ...config.api,
      grpcMaxSendMsgSize: positiveOr(defaultMessageBytes, config.api.grpcMaxSendMsgSize),
      grpcMaxRecvMsgSize: positiveOr(defaultMessageBytes, config.api.grpcMaxRecvMsgSize),
    },
    runtime: { ...config.runtime, defaultRuntime, ctrStopTimeout: stopTimeout(config, warn) },
    runtimes: completeHandlers({ ...config, runtime: { ...config.runtime, defaultRuntime } }, warn),
    network: foldPluginDir(config.network),
    checkpointRestore: checkpointRestore(config, warn),
  };
  if (config.api.tlsMinVersion === "VersionTLS13" && config.api.tlsCipherSuites.length > 0) {
    warn("tls_cipher_suites has no effect with tls_min_version VersionTLS13", {});
  }
  return { config: completed, notes };
}

type Warn = (message: string, fields: Note["fields"]) => void;

function positiveOr(fallback: number, value: number): number {
  return value > 0 ? value : fallback;
}

function stopTimeout(config: Config, warn: Warn): number {
  const { ctrStopTimeout } = config.runtime;
  if (ctrStopTimeout >= lowestStopTimeoutSeconds) return ctrStopTimeout;
  warn("ctr_stop_timeout is raised to its lowest value", { from: ctrStopTimeout, to: lowestStopTimeoutSeconds });
  return lowestStopTimeoutSeconds;
}

function foldPluginDir(network: Config["network"]): Config["network"] {
  if (network.pluginDir === "") return network;
  return { ...network, pluginDirs: [...network.pluginDirs, network.pluginDir], pluginDir: "" };
}

function checkpointRestore(config: Config, warn: Warn): Config["checkpointRestore"] {
  if (config.runtime.enableCriuSupport || config.checkpointRestore.containerLevelEnabled === "none") {
    return config.checkpointRestore;
  }
  warn("checkpoint and restore are turned off by the deprecated key enable_criu_support", {});
  return { ...config.checkpointRestore, containerLevelEnabled: "none" };
}

function completeHandlers(config: Config, warn: Warn): ReadonlyMap<string, RuntimeHandler> {
  const inherited = config.runtimes.get(config.runtime.defaultRuntime);
  return new Map(
    [...config.runtimes].map(([name, handler]) => {
      const own =
        handler.inheritDefaultRuntime && inherited !== undefined ? inherit(config, handler, inherited) : handler;
      return [name, withMonitor(config, withLimits(name, own, warn))];
    }),
  );
}

function inherit(config: Config, handler: RuntimeHandler, from: RuntimeHandler): RuntimeHandler {
  return {
    ...handler,
    // Empty would be looked up in $PATH under this handler's own name.
    runtimePath: from.runtimePath || config.runtime.defaultRuntime,
    runtimeType: from.runtimeType,
    runtimeConfigPath: from.runtimeConfigPath,
    runtimeRoot: from.runtimeRoot,
  };
}

function withLimits(name: string, handler: RuntimeHandler, warn: Warn): RuntimeHandler {
  const seconds = handler.containerCreateTimeout;
  return {
    ...handler,
    containerMinMemory: minMemory(name, handler.containerMinMemory, warn),
    containerCreateTimeout: seconds === 0 ? defaultCreateTimeoutSeconds : Math.max(seconds, lowestCreateTimeoutSeconds),
  };
}

function minMemory(name: string, size: string, warn: Warn): string {
  if (size === "") return defaultMinMemory;
  try {
    parseMemorySize(size);
    return size;
  } catch (error) {
    warn("container_min_memory cannot be parsed", { handler: name, error: reasonOf(error), used: defaultMinMemory });
    return defaultMinMemory;
  }
}

/** The deprecated conmon keys take the place of the monitor keys of every OCI handler; then the cgroup manager has its say. */
function withMonitor(config: Config, handler: RuntimeHandler): RuntimeHandler {
  if (handler.runtimeType !== "" && handler.runtimeType !== "oci") return handler;
  const { conmon, conmonCgroup, conmonEnv, cgroupManager } = config.runtime;
  const cgroup = conmonCgroup || handler.monitorCgroup;
  return {
    ...handler,
    monitorPath: conmon || handler.monitorPath,
    monitorCgroup: cgroupManager === "cgroupfs" ? withoutDefaultSlice(cgroup) : cgroup || defaultMonitorSlice,
    monitorEnv: conmonEnv.length > 0 ? conmonEnv : handler.monitorEnv,
  };
}

/** The default of the other cgroup manager means "not set" to cgroupfs. */
function withoutDefaultSlice(cgroup: string): string {
  return cgroup === defaultMonitorSlice ? "" : cgroup;
}
