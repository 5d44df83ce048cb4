import { readBounded } from "./bounded-read.ts";

/** By bit number, as linux/capability.h has them. */
const names = [
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

/** The effective capabilities of this process. */
export async function ownCapabilities(): Promise<ReadonlySet<string>> {
  return parseCapabilities(await readStatus(), "CapEff");
}

/** The capabilities that this process and its children can ever have. */
export async function boundingCapabilities(): Promise<ReadonlySet<string>> {
  return parseCapabilities(await readStatus(), "CapBnd");
}

/** The set named `field` of /proc/PID/status. Capabilities newer than the table here are left out. */
export function parseCapabilities(status: string, field: "CapEff" | "CapBnd" | "CapPrm"): ReadonlySet<string> {
  const hex = new RegExp(`^${field}:\\s*([0-9a-f]{1,16})$`, "m").exec(status)?.[1];
  const bits = BigInt(`0x${hex ?? "0"}`);
  return new Set(names.filter((_name, bit) => ((bits >> BigInt(bit)) & 1n) === 1n));
}

async function readStatus(): Promise<string> {
  return (await readBounded("/proc/self/status", 64 * 1024)).toString("utf8");
}
