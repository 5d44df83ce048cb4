import type { IdMapping } from "../host/index.ts";
import { highestContainerId } from "./id-maps.ts";

export interface SysctlRequest {
  /** `default_sysctls` of the configuration. */
  readonly defaults: readonly (readonly [name: string, value: string])[];
  /** `linux.sysctls` of the request; they override defaults of the same name. */
  readonly requested: Readonly<Record<string, string>>;
  readonly hostIpc: boolean;
  readonly hostNetwork: boolean;
  /** Of the pod's user namespace, if it has one. */
  readonly gidMappings?: readonly IdMapping[];
}

export interface SkippedSysctl {
  readonly name: string;
  readonly from: "config" | "request";
  readonly why: string;
}

export interface SysctlPlan {
  /** Names with dots, as the OCI runtime spec has them. */
  readonly apply: readonly (readonly [name: string, value: string])[];
  /** To be warned about; the pod starts without them. */
  readonly skipped: readonly SkippedSysctl[];
}

const maxValueBytes = 4096;

/**
 * The sysctls of a pod (reference: cri.md 2.5): only those that belong to a namespace, and only while that namespace is the pod's
 * own. Names are checked part by part, for each becomes a path under /proc/sys; a dot in an interface's name is written as a slash.
 */
export function filterSysctls(request: SysctlRequest): SysctlPlan {
  const apply = new Map<string, string>();
  const skipped: SkippedSysctl[] = [];
  for (const [from, entries] of [
    ["config", request.defaults],
    ["request", Object.entries(request.requested)],
  ] as const) {
    for (const [name, value] of entries) {
      const why = objection(name, value, request);
      if (why === undefined) apply.set(name, withinUserNamespace(name, value, request.gidMappings));
      else skipped.push({ name, from, why });
    }
  }
  return { apply: [...apply], skipped };
}

/** The warning for one that is left out. */
export function skippedSysctlText({ name, from, why }: SkippedSysctl): string {
  return `Skipping invalid sysctl specified ${from === "request" ? "over CRI" : "by config"} ${JSON.stringify(name)}: ${why}`;
}

function objection(name: string, value: string, { hostIpc, hostNetwork }: SysctlRequest): string | undefined {
  const namespace = namespaceOf(name);
  if (namespace === undefined) return "it does not belong to a namespace of the pod";
  if (namespace === "ipc" && hostIpc) return "it would change the host: the pod shares its IPC namespace";
  if (namespace === "net" && hostNetwork) return "it would change the host: the pod shares its network namespace";
  if (!isName(name)) return "it is not the name of a sysctl";
  if (!/^[\t\x20-\x7e]*$/.test(value)) return "its value holds control characters";
  if (value.length > maxValueBytes) return `its value is longer than ${maxValueBytes} bytes`;
  return undefined;
}

function namespaceOf(name: string): "ipc" | "net" | undefined {
  if (name === "kernel.sem") return "ipc";
  if (["kernel.shm", "kernel.msg", "fs.mqueue."].some((prefix) => name.startsWith(prefix))) return "ipc";
  return name.startsWith("net.") ? "net" : undefined;
}

// No part is empty, "." or "..": a name can only ever lead further down.
function isName(name: string): boolean {
  return name.length <= 256 && name.split(/[./]/).every((part) => /^[A-Za-z0-9][A-Za-z0-9_@:-]*$/.test(part));
}

/** The customary "everybody" ends at an id that the user namespace may not have, which the kernel refuses. */
function withinUserNamespace(name: string, value: string, gidMappings: readonly IdMapping[] | undefined): string {
  if (name !== "net.ipv4.ping_group_range" || gidMappings === undefined || gidMappings.length === 0) return value;
  const [low, high, ...more] = value.split(/[\t ]+/).filter((field) => field !== "");
  if (low !== "0" || high !== "2147483647" || more.length > 0) return value;
  return `0 ${highestContainerId(gidMappings)}`;
}
