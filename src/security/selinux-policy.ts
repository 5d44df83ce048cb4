import { join } from "node:path";
import { errnoOf, Fault } from "../base/index.ts";
import { readBounded } from "../host/index.ts";
import { type SeLinuxLabels, type SeLinuxOptions, seLinuxLabelText } from "./selinux.ts";

/** What the node's policy has for containers: `lxc_contexts(5)`. */
export interface SeLinuxPolicy {
  readonly process: SeLinuxOptions;
  readonly file: SeLinuxOptions;
  /** Of the process of a virtual machine. */
  readonly kvmType: string;
}

const maxPolicyFileBytes = 1 << 20;
/** Pairs of different categories: as many levels as there can be. */
const categories = 1024;

/** The policy in use, by its files below `root`. Rejects with what is missing: without it no label can be given. */
export async function loadSeLinuxPolicy(root = "/etc/selinux"): Promise<SeLinuxPolicy> {
  const config = await textOf(join(root, "config"));
  const name = /^\s*SELINUXTYPE\s*=\s*([A-Za-z0-9_-]+)\s*$/m.exec(config)?.[1] ?? "targeted";
  const path = join(root, name, "contexts/lxc_contexts");
  const text = await textOf(path);
  if (text !== "") return parseSeLinuxContexts(text);
  const remedy = "install the policy for containers (container-selinux), or set selinux = false";
  throw new Fault("not-found", `SELinux is on, but its policy has no contexts for containers in ${path}: ${remedy}`);
}

/** The lines `name = "label"` of an lxc_contexts file. Rejects with Fault("invalid") without those of processes and files. */
export function parseSeLinuxContexts(text: string): SeLinuxPolicy {
  const values = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, name, value] = /^\s*([a-z_]+)\s*=\s*"?([^"#]*?)"?\s*$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) values.set(name, value);
  }
  const file = values.get("file");
  const process = values.get("process");
  if (file === undefined || process === undefined) {
    throw new Fault("invalid", "lxc_contexts names no label for the files or the processes of containers");
  }
  const kvm = values.get("kvm_process");
  return {
    process: parseSeLinuxLabel(process),
    file: parseSeLinuxLabel(file),
    kvmType: kvm === undefined ? "container_kvm_t" : parseSeLinuxLabel(kvm).type,
  };
}

/** The parts of `user:role:type[:level]`. Rejects with Fault("invalid"). */
export function parseSeLinuxLabel(text: string): SeLinuxOptions {
  const [user = "", role = "", type = "", ...level] = text.split(":");
  const label = { user, role, type, level: level.join(":") };
  seLinuxLabelText(label); // which checks the parts
  return label;
}

/** A level of two categories that nobody has, as each pod gets one. `random` gives numbers from 0 to 1. */
export function freeSeLinuxLevel(taken: ReadonlySet<string>, random: () => number = Math.random): string {
  const pairs = (categories * (categories - 1)) / 2;
  if (taken.size >= pairs) throw new Fault("exhausted", `all ${pairs} SELinux levels are taken`);
  for (;;) {
    const [one, two] = [Math.floor(random() * categories), Math.floor(random() * categories)];
    const level = `s0:c${Math.min(one, two)},c${Math.max(one, two)}`;
    if (one !== two && !taken.has(level)) return level;
  }
}

/**
 * The labels of a pod or container: the policy's, with what the options say in their place. Files follow in user and level, which is what keeps
 * pods from each other's.
 */
export function seLinuxLabelsFor(
  policy: SeLinuxPolicy,
  options: SeLinuxOptions,
  { level, isVirtualMachine }: { readonly level: string; readonly isVirtualMachine: boolean },
): SeLinuxLabels {
  const type = isVirtualMachine ? policy.kvmType : policy.process.type;
  const process = {
    user: options.user || policy.process.user,
    role: options.role || policy.process.role,
    type: options.type || type,
    level: options.level || level,
  };
  const mount = { ...policy.file, user: options.user || policy.file.user, level: process.level };
  return { process: seLinuxLabelText(process), mount: seLinuxLabelText(mount) };
}

/** Directories of the host that are never a container's alone: a label for one container there would lock the host out. */
const hostPaths: ReadonlySet<string> = new Set(
  (
    "/ /bin /boot /dev /etc /etc/passwd /etc/pki /etc/shadow /home /lib /lib64 /media /opt /proc /root /run /sbin " +
    "/srv /sys /tmp /usr /var /var/lib /var/log"
  ).split(" "),
);

/** Throws Fault("denied") for a path, without symbolic links, that no container may have relabelled (CVE-2021-43816). */
export function refuseHostRelabel(path: string): void {
  const isBelow = ["/bin", "/boot", "/dev", "/lib", "/lib64", "/proc", "/sbin", "/sys", "/usr"].some((parent) =>
    path.startsWith(`${parent}/`),
  );
  if (!hostPaths.has(path) && !isBelow) return;
  throw new Fault("denied", `SELinux relabeling of ${path} is not allowed: it belongs to the host`);
}

async function textOf(path: string): Promise<string> {
  try {
    return (await readBounded(path, maxPolicyFileBytes)).toString("utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return "";
    throw error;
  }
}
