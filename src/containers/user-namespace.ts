import { Fault } from "../base/index.ts";
import { idMappingsText, type ResolvedUser, toContainerId, toHostId } from "../security/index.ts";
import type { NamespacesPlan } from "../spec/index.ts";
import type { PodRecord, UserNamespace } from "../state/index.ts";
import type { MountOptions } from "../storage/index.ts";

/** Who owns something, by the ids of the host. */
export interface HostOwner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Who a user of the pod is on the host; the same without a user namespace. Throws Fault("invalid") for ids that the pod's user
 * namespace does not have.
 */
export function hostOwner(namespace: UserNamespace | undefined, inside: HostOwner): HostOwner {
  if (namespace === undefined) return { uid: inside.uid, gid: inside.gid };
  return {
    uid: mapped("user", inside.uid, namespace.uids),
    gid: mapped("group", inside.gid, namespace.gids),
  };
}

/** Who the pod's root is on the host. */
export function hostRoot(namespace: UserNamespace | undefined): HostOwner {
  return hostOwner(namespace, { uid: 0, gid: 0 });
}

/** Who owns a file as the pod sees it: the kernel's "nobody" where its user namespace does not have the owner. */
export function uidInside(namespace: UserNamespace | undefined, hostUid: number): number {
  return namespace === undefined ? hostUid : (toContainerId(namespace.uids, hostUid) ?? overflowId);
}

/** Throws Fault("invalid") when the process could not be this user in the pod's user namespace. */
export function requireMapped(namespace: UserNamespace | undefined, user: ResolvedUser): void {
  if (namespace === undefined) return;
  mapped("user", user.uid, namespace.uids);
  for (const gid of [user.gid, ...user.additionalGids]) mapped("group", gid, namespace.gids);
}

/** How the root file system of a container in this pod is mounted. */
export function mountOptionsIn({ namespaces, userNamespace }: PodUsers): MountOptions {
  if (userNamespace === undefined || namespaces.user === undefined) return {};
  return { userNamespace: namespaces.user };
}

/** The pod's user namespace, for the spec of a container. */
export function userNamespacePlan({ namespaces, userNamespace }: PodUsers): Pick<NamespacesPlan, "user"> {
  if (userNamespace === undefined) return {};
  return {
    user: {
      uidMappings: userNamespace.uids,
      gidMappings: userNamespace.gids,
      ...(namespaces.user === undefined ? {} : { path: namespaces.user }),
    },
  };
}

type PodUsers = Pick<PodRecord, "namespaces" | "userNamespace">;

const overflowId = 65_534;

function mapped(what: string, id: number, mappings: UserNamespace["uids"]): number {
  const hostId = toHostId(mappings, id);
  if (hostId !== undefined) return hostId;
  throw new Fault("invalid", `the pod's user namespace has no ${what} ${id}: it maps ${idMappingsText(mappings)}`);
}
