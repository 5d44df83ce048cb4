import { Fault } from "../base/index.ts";
import type { Capabilities } from "../oci/index.ts";

/** Every capability Linux has, by bit number (capability.h). */
export const capabilityNames = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_DAC_READ_SEARCH",
  "CAP_FOWNER",
  "CAP_FSETID",
  "CAP_KILL",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETPCAP",
  "CAP_LINUX_IMMUTABLE",
  "CAP_NET_BIND_SERVICE",
  "CAP_NET_BROADCAST",
  "CAP_NET_ADMIN",
  "CAP_NET_RAW",
  "CAP_IPC_LOCK",
  "CAP_IPC_OWNER",
  "CAP_SYS_MODULE",
  "CAP_SYS_RAWIO",
  "CAP_SYS_CHROOT",
  "CAP_SYS_PTRACE",
  "CAP_SYS_PACCT",
  "CAP_SYS_ADMIN",
  "CAP_SYS_BOOT",
  "CAP_SYS_NICE",
  "CAP_SYS_RESOURCE",
  "CAP_SYS_TIME",
  "CAP_SYS_TTY_CONFIG",
  "CAP_MKNOD",
  "CAP_LEASE",
  "CAP_AUDIT_WRITE",
  "CAP_AUDIT_CONTROL",
  "CAP_SETFCAP",
  "CAP_MAC_OVERRIDE",
  "CAP_MAC_ADMIN",
  "CAP_SYSLOG",
  "CAP_WAKE_ALARM",
  "CAP_BLOCK_SUSPEND",
  "CAP_AUDIT_READ",
  "CAP_PERFMON",
  "CAP_BPF",
  "CAP_CHECKPOINT_RESTORE",
] as const;

export type Capability = (typeof capabilityNames)[number];

/** What the host can give. */
export interface HostCapabilities {
  /** What the kernel has: all up to `/proc/sys/kernel/cap_last_cap`. */
  readonly known: ReadonlySet<string>;
  /** What this process may pass on: its bounding set. Less than `known` in a nested host. */
  readonly bounding: ReadonlySet<string>;
}

export interface CapabilityRequest {
  /** As in the request: any case, with or without `CAP_`; `ALL` for all. */
  readonly add: readonly string[];
  readonly drop: readonly string[];
  /** `default_capabilities` of the configuration. */
  readonly defaults: readonly string[];
  readonly privileged: boolean;
  /** `add_inheritable_capabilities` of the configuration. */
  readonly addInheritable: boolean;
  readonly host: HostCapabilities;
}

export interface ResolvedCapabilities {
  readonly sets: Capabilities;
  /** Asked for and known to the kernel, but not this host's to give; worth one warning. */
  readonly withheld: readonly string[];
}

/** The capabilities of a kernel whose last one has bit `lastCapability` (`/proc/sys/kernel/cap_last_cap`). */
export function knownCapabilities(lastCapability: number): ReadonlySet<string> {
  return new Set(capabilityNames.slice(0, lastCapability + 1));
}

/** `net_admin`, `CAP_NET_ADMIN` → `CAP_NET_ADMIN`; undefined when Linux has no such capability. */
export function capabilityFrom(text: string): Capability | undefined {
  const wanted = prefixed(text);
  return capabilityNames.find((name) => name === wanted);
}

/**
 * The five sets of a process (reference: cri.md 3.6). Privileged: everything, in all five. Else nothing but what is asked for:
 * `ALL` first, then the single additions, the defaults unless `ALL` is on either side, then the removals; ambient is empty, and
 * inheritable too unless it is switched on. Rejects with Fault("invalid") for a name the kernel does not know.
 */
export function resolveCapabilities(request: CapabilityRequest): ResolvedCapabilities {
  const wanted = request.privileged ? request.host.known : wantedCapabilities(request);
  const inOrder = capabilityNames.filter((name) => wanted.has(name));
  const given = inOrder.filter((name) => request.host.bounding.has(name));
  const inheritable = request.privileged || request.addInheritable ? given : [];
  return {
    sets: {
      bounding: given,
      effective: given,
      inheritable,
      permitted: given,
      ambient: request.privileged ? given : [],
    },
    withheld: inOrder.filter((name) => !request.host.bounding.has(name)),
  };
}

function wantedCapabilities({ add, drop, defaults, host }: CapabilityRequest): ReadonlySet<string> {
  const addsAll = add.some(isAll);
  const dropsAll = drop.some(isAll);
  const wanted = new Set<string>(addsAll && !dropsAll ? host.known : []);
  const additions = [...add.filter((name) => !isAll(name)), ...(addsAll || dropsAll ? [] : defaults)];
  for (const name of additions) wanted.add(knownName(name, host, (cap) => `unknown capability "${cap}" to add`));
  for (const name of drop.filter((entry) => !isAll(entry))) {
    wanted.delete(knownName(name, host, (cap) => `failed to drop cap ${cap}: the kernel does not know it`));
  }
  return wanted;
}

function knownName(text: string, host: HostCapabilities, complaint: (capability: string) => string): string {
  const name = prefixed(text);
  if (!host.known.has(name)) throw new Fault("invalid", complaint(name));
  return name;
}

function isAll(name: string): boolean {
  return name.toUpperCase() === "ALL";
}

function prefixed(text: string): string {
  const upper = text.toUpperCase();
  return upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
}
