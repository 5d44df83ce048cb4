import { basename } from "node:path";
import { annotationsProblem } from "./annotations.ts";
import type { Config, RuntimeHandler } from "./table.ts";

const shimName = /^containerd-shim-[a-zA-Z0-9\-+]+$/;

/**
 * What makes a handler unusable, as far as its settings alone tell, or undefined. A bad default handler stops the daemon; any
 * other is logged and left out (`usableHandlers`). The daemon still asks the disk: the program, its configuration file, the
 * seccomp profile, `--version` and `features`.
 */
export function handlerProblem(config: Config, name: string, handler: RuntimeHandler): string | undefined {
  return [typeProblem, annotations, execCpuAffinity, monitorCgroup].reduce<string | undefined>(
    (problem, check) => problem ?? check(config, handler, name),
    undefined,
  );
}

/** The handlers without a problem, and those left out with the reason. */
export function usableHandlers(config: Config): {
  readonly usable: ReadonlyMap<string, RuntimeHandler>;
  readonly rejected: readonly { readonly name: string; readonly why: string }[];
} {
  const usable = new Map<string, RuntimeHandler>();
  const rejected: { name: string; why: string }[] = [];
  for (const [name, handler] of config.runtimes) {
    const why = handlerProblem(config, name, handler);
    if (why === undefined) usable.set(name, handler);
    else rejected.push({ name, why });
  }
  return { usable, rejected };
}

function typeProblem(_config: Config, handler: RuntimeHandler, name: string): string | undefined {
  const type = handler.runtimeType || "oci";
  if (!["oci", "vm", "pod"].includes(type)) {
    return `invalid runtime_type ${JSON.stringify(handler.runtimeType)}: must be oci, vm or pod`;
  }
  if (type === "vm" && !shimName.test(basename(handler.runtimePath || name))) {
    return `runtime_path ${JSON.stringify(handler.runtimePath || name)} of type vm must end in containerd-shim-NAME-VERSION`;
  }
  if (type !== "vm" && handler.runtimeConfigPath !== "") return "runtime_config_path is for runtime_type vm only";
  if (type !== "vm" && handler.runtimePullImage) return "runtime_pull_image is for runtime_type vm only";
  if (type !== "oci" && handler.noSyncLog) return "no_sync_log is for runtime_type oci only";
  if (type !== "pod" && handler.streamWebsockets) return "stream_websockets is for runtime_type pod only";
  return undefined;
}

function annotations(_config: Config, handler: RuntimeHandler): string | undefined {
  return annotationsProblem(handler.allowedAnnotations);
}

function execCpuAffinity(_config: Config, handler: RuntimeHandler): string | undefined {
  if (["", "first"].includes(handler.execCpuAffinity)) return undefined;
  return `invalid exec_cpu_affinity ${JSON.stringify(handler.execCpuAffinity)}: must be empty or first`;
}

function monitorCgroup(config: Config, handler: RuntimeHandler): string | undefined {
  const type = handler.runtimeType || "oci";
  const cgroup = handler.monitorCgroup;
  if (type !== "oci" || cgroup === "pod") return undefined;
  if (config.runtime.cgroupManager === "cgroupfs") {
    return cgroup === "" ? undefined : `monitor_cgroup ${JSON.stringify(cgroup)} must be "pod" or empty with cgroupfs`;
  }
  return cgroup.endsWith(".slice")
    ? undefined
    : `monitor_cgroup ${JSON.stringify(cgroup)} must be "pod" or the name of a systemd slice`;
}
