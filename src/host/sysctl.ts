import { Fault } from "../base/index.ts";

export type SysctlOwner = "net" | "ipc" | "uts";

/**
 * The file of a sysctl beneath /proc/sys, as path components. In `net.ipv4.conf.eth0/1.forwarding` the dots separate
 * and slashes stand for dots, in `net/ipv4/conf/eth0.1/forwarding` it is the other way round: the separator that comes
 * first decides, as in sysctl(8). Throws Fault("invalid") for anything that is not a name.
 */
export function sysctlComponents(name: string): readonly string[] {
  const separator = /[./]/.exec(name)?.[0] ?? ".";
  const components = name.split(separator);
  const parts = separator === "/" ? components : components.map((part) => part.replaceAll("/", "."));
  const valid = name.length <= 256 && parts.length > 1 && parts.every(isComponent);
  if (!valid) throw new Fault("invalid", `not the name of a sysctl: ${JSON.stringify(name.slice(0, 256))}`);
  return parts;
}

function isComponent(part: string): boolean {
  return /^[A-Za-z0-9_.-]+$/.test(part) && part !== "." && part !== "..";
}

/** Which namespace a sysctl belongs to; undefined for one of the whole machine, which a pod must never set. */
export function sysctlOwner(components: readonly string[]): SysctlOwner | undefined {
  const [top, second = ""] = components;
  if (top === "net") return "net";
  if (top === "fs" && second === "mqueue") return "ipc";
  if (top !== "kernel" || components.length !== 2) return undefined;
  if (/^(shm|msg|sem)/.test(second)) return "ipc";
  return second === "domainname" ? "uts" : undefined;
}

/** Throws Fault("invalid") unless `value` is one line of at most 4096 bytes. */
export function checkSysctlValue(name: string, value: string): void {
  const valid = !/[\x00\n\r]/.test(value) && Buffer.byteLength(value) <= 4096;
  if (!valid) throw new Fault("invalid", `sysctl ${name}: its value must be one line of at most 4096 bytes`);
}
