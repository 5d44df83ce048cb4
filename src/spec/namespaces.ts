import { assertNever, Fault } from "../base/index.ts";
import type { IdMapping } from "../host/index.ts";
import type { LinuxIdMapping, LinuxNamespace, LinuxNamespaceType } from "../oci/index.ts";
import type { NamespacesPlan, NamespaceUse } from "./plan.ts";

/** `linux.namespaces` (reference: cri.md 3.5). The mount namespace is always new; a private cgroup one comes on cgroup v2. */
export function linuxNamespaces(
  { pid, network, ipc, uts, user }: NamespacesPlan,
  { privateCgroup }: { readonly privateCgroup: boolean },
): readonly LinuxNamespace[] {
  return [
    ...namespace("pid", pid),
    ...namespace("network", network),
    ...namespace("ipc", ipc),
    ...namespace("uts", uts),
    { type: "mount" },
    ...(user === undefined
      ? []
      : namespace("user", user.path === undefined ? { is: "new" } : { is: "join", path: user.path })),
    ...(privateCgroup ? [{ type: "cgroup" } as const] : []),
  ];
}

/** The mappings of the user namespace, which the runtime wants even where it joins one that has them. */
export function linuxIdMaps({ user }: NamespacesPlan): {
  readonly uidMappings?: readonly LinuxIdMapping[];
  readonly gidMappings?: readonly LinuxIdMapping[];
} {
  if (user === undefined) return {};
  return { uidMappings: user.uidMappings.map(linuxIdMapping), gidMappings: user.gidMappings.map(linuxIdMapping) };
}

/** How a container asks for its PID namespace, with what is known of the process that has it. */
export type PidRequest =
  | { readonly mode: "container" }
  | { readonly mode: "node" }
  /** `infra` is absent when the pod has no infra process; its pid is 0 when that is gone. */
  | { readonly mode: "pod"; readonly infra?: { readonly pid: number } }
  /** Where the target's namespace was pinned. */
  | { readonly mode: "target"; readonly targetId: string; readonly pinnedPath?: string };

/** The PID namespace of a container. Rejects with Fault("invalid") when there is nothing to join. */
export function pidNamespace(request: PidRequest): NamespaceUse {
  switch (request.mode) {
    case "container":
      return { is: "new" };
    case "node":
      return { is: "host" };
    case "pod":
      return { is: "join", path: infraPidNamespace(request.infra) };
    case "target":
      if (request.targetId === "" || request.pinnedPath === undefined) {
        throw new Fault("invalid", "target PID namespace specified with invalid target ID");
      }
      return { is: "join", path: request.pinnedPath };
    default:
      return assertNever(request);
  }
}

function infraPidNamespace(infra: { readonly pid: number } | undefined): string {
  if (infra === undefined) {
    throw new Fault(
      "invalid",
      "pod level PID namespace requested for the container, but pod sandbox was not similarly configured, and does not have an infra container",
    );
  }
  if (infra.pid <= 0) {
    throw new Fault("invalid", "PID namespace requested, but sandbox infra container unexpectedly invalid");
  }
  return `/proc/${infra.pid}/ns/pid`;
}

function namespace(type: LinuxNamespaceType, use: NamespaceUse): readonly LinuxNamespace[] {
  switch (use.is) {
    case "host":
      return [];
    case "new":
      return [{ type }];
    case "join":
      return [{ type, path: use.path }];
    default:
      return assertNever(use);
  }
}

function linuxIdMapping({ containerId, hostId, size }: IdMapping): LinuxIdMapping {
  return { containerID: containerId, hostID: hostId, size };
}
