import { errnoOf, Fault } from "../base/index.ts";
import { readBounded } from "../host/index.ts";
import { hasControlCharacter, shownText } from "./safe-text.ts";

/** A label in parts; "" leaves a part to whoever gave the label before, in the end to the policy. */
export interface SeLinuxOptions {
  readonly user: string;
  readonly role: string;
  readonly type: string;
  readonly level: string;
}

/** Labels for a container's process and files; "" where SELinux is off. */
export interface SeLinuxLabels {
  readonly process: string;
  readonly mount: string;
}

export const noSeLinuxLabels: SeLinuxLabels = { process: "", mount: "" };

/** The type of a container that SELinux leaves alone, so that its volumes are not relabelled either. */
export const unconfinedSeLinuxType = "spc_t";

/** Whether the kernel enforces, only logs, or has no SELinux. */
export async function seLinuxMode(
  enforceFile = "/sys/fs/selinux/enforce",
): Promise<"enforcing" | "permissive" | "disabled"> {
  try {
    return (await readBounded(enforceFile, 64)).toString("latin1").trim() === "1" ? "enforcing" : "permissive";
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return "disabled";
    throw error;
  }
}

/** The pod's options with what the container says for itself, part by part. */
export function mergedSeLinuxOptions(pod: SeLinuxOptions, container: SeLinuxOptions | undefined): SeLinuxOptions {
  if (container === undefined) return pod;
  return {
    user: container.user === "" ? pod.user : container.user,
    role: container.role === "" ? pod.role : container.role,
    type: container.type === "" ? pod.type : container.type,
    level: container.level === "" ? pod.level : container.level,
  };
}

/** `user:role:type:level`. Rejects with Fault("invalid") for parts that would change the others. */
export function seLinuxLabelText({ user, role, type, level }: SeLinuxOptions): string {
  for (const part of [user, role, type]) {
    if (part === "" || part.includes(":") || hasControlCharacter(part)) throw invalidPart(part);
  }
  // A level has colons of its own: s0:c1,c2
  if (!/^[A-Za-z0-9:,.-]*$/.test(level)) throw invalidPart(level);
  return [user, role, type, ...(level === "" ? [] : [level])].join(":");
}

function invalidPart(part: string): Fault {
  return new Fault("invalid", `invalid SELinux option "${shownText(part)}"`);
}
