import { access } from "node:fs/promises";
import { Fault, type Logger, reasonOf } from "../base/index.ts";
import {
  type Config,
  type RuntimeHandler as HandlerConfig,
  parseCpuset,
  parseMemorySize,
  usableHandlers,
} from "../config/index.ts";
import { findProgram } from "../host/index.ts";
import { probeRuntime, type RuntimeHandler } from "../runtime/index.ts";

/** Where a runtime keeps its state unless its handler says otherwise; CRI-O uses the one directory for all of them. */
const defaultRuntimeRoot = "/run/crun";

/** The usable handlers of a configuration. */
export interface ResolvedHandlers {
  readonly defaultName: string;
  list(): readonly RuntimeHandler[];
  /** The handler of that name, "" being the default. */
  find(name: string): RuntimeHandler | undefined;
  /** The same; throws Fault("invalid") with the names that there are. */
  get(name: string): RuntimeHandler;
}

interface Context {
  readonly config: Config;
  readonly log: Logger;
  readonly kernelVersion: string;
}

/**
 * Resolves the runtimes table: finds each handler's programs and asks the runtime what it can do. A handler that cannot be used is
 * logged and left out; rejects when that is the default one.
 */
export async function resolveHandlers(context: Context): Promise<ResolvedHandlers> {
  const { config, log } = context;
  const { usable, rejected } = usableHandlers(config);
  const { defaultRuntime } = config.runtime;
  const resolved = new Map<string, RuntimeHandler>();
  const reject = (name: string, why: string) => {
    if (name === defaultRuntime) throw new Fault("invalid", `default runtime ${name} cannot be used: ${why}`);
    log.error("runtime handler left out", { handler: name, why });
  };
  for (const { name, why } of rejected) reject(name, why);
  for (const [name, handler] of usable) {
    try {
      resolved.set(name, await resolveHandler(context, name, handler));
    } catch (error) {
      reject(name, reasonOf(error));
    }
  }
  if (!resolved.has(defaultRuntime)) {
    throw new Fault("invalid", `default_runtime ${defaultRuntime} is not in the runtimes table`);
  }
  const find = (name: string) => resolved.get(name === "" ? defaultRuntime : name);
  return {
    defaultName: defaultRuntime,
    list: () => [...resolved.values()],
    find,
    get(name) {
      const handler = find(name);
      if (handler !== undefined) return handler;
      const known = [...resolved.keys()].join(", ");
      throw new Fault("invalid", `failed to find runtime handler ${name} from runtime list ${known}`);
    },
  };
}

async function resolveHandler(context: Context, name: string, handler: HandlerConfig): Promise<RuntimeHandler> {
  const { config, log } = context;
  const type = handler.runtimeType || "oci";
  if (type !== "oci") throw new Fault("unimplemented", `runtime_type ${type} is not supported yet`);
  const { runtimePath } = handler;
  // An inherited handler may have a bare name.
  const path = runtimePath.includes("/") ? runtimePath : await inPath(runtimePath || name, "runtime_path");
  await access(path).catch((cause) => {
    throw new Fault("not-found", `runtime_path ${path} cannot be used: ${reasonOf(cause)}`, { cause });
  });
  const monitorPath = handler.monitorPath || (await inPath("conmon", "monitor_path"));
  const probe = await probeRuntime(path, isAtLeast(context.kernelVersion, 5, 12));
  if (probe.why !== undefined) log.warn("runtime does not say its features", { handler: name, why: probe.why });
  log.debug("runtime handler", { handler: name, path, version: probe.version, ...probe.features });
  return {
    name,
    path,
    root: handler.runtimeRoot || defaultRuntimeRoot,
    systemdCgroup: config.runtime.cgroupManager === "systemd",
    monitor: { path: monitorPath, env: handler.monitorEnv, cgroup: handler.monitorCgroup },
    createTimeoutMs: handler.containerCreateTimeout * 1000,
    minMemoryBytes: parseMemorySize(handler.containerMinMemory),
    noSyncLog: handler.noSyncLog,
    privilegedWithoutHostDevices: handler.privilegedWithoutHostDevices,
    allowedAnnotations: handler.allowedAnnotations,
    defaultAnnotations: Object.fromEntries(handler.defaultAnnotations),
    platformPaths: Object.fromEntries(handler.platformRuntimePaths),
    seccompProfile: handler.seccompProfile,
    features: probe.features,
    programCpus: parseCpuset(config.runtime.infraCtrCpuset),
  };
}

async function inPath(name: string, key: string): Promise<string> {
  const path = await findProgram(name);
  if (path !== undefined) return path;
  throw new Fault("not-found", `no program ${name} in PATH: install it, or set ${key} in the handler's table`);
}

/** Whether a kernel release such as `6.12.3-amd64` is of this version or a later one. */
export function isAtLeast(release: string, major: number, minor: number): boolean {
  const [, a = "0", b = "0"] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  return Number(a) > major || (Number(a) === major && Number(b) >= minor);
}
