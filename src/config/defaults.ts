import { statfs } from "node:fs/promises";
import type { Environment } from "./flags.ts";
import { configOf, type Layer, mergeLayers, type Setting, type Source, tableDefaults } from "./layer.ts";
import type { OptionValue } from "./option.ts";
import { readStorageDefaults, type StorageDefaults } from "./storage-conf.ts";
import { type Config, emptyHandler, type RuntimeHandler } from "./table.ts";

/** The name of the runtime that is there without any configuration. */
export const builtInRuntime = "crun";

/** The built-in handler. A file that defines `[crio.runtime.runtimes.crun]` replaces it as a whole. */
export function builtInHandler(): RuntimeHandler {
  return {
    ...emptyHandler(),
    runtimeType: "oci",
    runtimeRoot: "/run/crun",
    allowedAnnotations: ["io.containers.trace-syscall", "devices.crio.io"],
    monitorCgroup: "system.slice",
    monitorEnv: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
    containerMinMemory: "500KiB",
    containerCreateTimeout: 240,
  };
}

/** The configuration without any file, environment or host: what the option table says. */
export function builtInConfig(): Config {
  return configOf(builtInLayer());
}

/** The configuration without crio.conf and flags on this host: storage.conf is read, and the kernel asked about SELinux. */
export async function defaultConfig(env: Environment): Promise<Config> {
  return configOf(await defaultLayer(env));
}

/** Like `defaultConfig`, as a layer for others to lie on. Rejects with a Fault for a broken storage.conf. */
export async function defaultLayer(env: Environment): Promise<Layer> {
  const [storage, selinux] = await Promise.all([readStorageDefaults(env), hasSelinux()]);
  return mergeLayers(builtInLayer(), hostLayer(storage, selinux));
}

function builtInLayer(): Layer {
  const crun = { value: builtInHandler(), source: { is: "default" } } as const;
  return { ...tableDefaults(), handlers: new Map([[builtInRuntime, crun]]) };
}

function hostLayer(storage: StorageDefaults, selinux: boolean): Layer {
  const found: readonly (readonly [string, OptionValue | undefined])[] = [
    ["crio.root", storage.graphRoot],
    ["crio.runroot", storage.runRoot],
    ["crio.imagestore", storage.imageStore],
    ["crio.storage_driver", storage.driver],
    ["crio.storage_option", storage.driverOptions],
    ["crio.runtime.selinux", selinux],
  ];
  const source: Source = { is: "default" }; // these are defaults to whoever asks; only crio.conf and flags set options
  const settings = new Map<string, Setting<OptionValue>>();
  for (const [path, value] of found) if (value !== undefined) settings.set(path, { value, source });
  return { settings, handlers: new Map(), workloads: new Map() };
}

const selinuxMagic = 0xf97cff8c;

/** Whether the kernel runs with SELinux: its file system is mounted where it belongs. */
async function hasSelinux(): Promise<boolean> {
  try {
    return (await statfs("/sys/fs/selinux")).type === selinuxMagic;
  } catch {
    return false;
  }
}
