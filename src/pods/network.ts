import { isIPv4, isIPv6 } from "node:net";
import type { PodNetworkIdentity } from "../network/index.ts";
import type { PodRecord } from "../state/index.ts";
import type { PodDeps } from "./deps.ts";

/** What the network plugins are told of a pod. */
export function networkIdentity(
  record: Pick<PodRecord, "id" | "metadata" | "namespaces" | "cgroupParent" | "annotations">,
): PodNetworkIdentity {
  return {
    id: record.id,
    name: record.metadata.name,
    namespace: record.metadata.namespace,
    uid: record.metadata.uid,
    netns: record.namespaces.net,
    cgroupParent: record.cgroupParent,
    annotations: record.annotations,
  };
}

/** Opens the pod's ports on the host, to its first address of each family. */
export async function openHostPorts(
  deps: Pick<PodDeps, "hostPorts">,
  record: PodRecord,
  ips: readonly string[],
): Promise<void> {
  if (record.portMappings.length === 0) return;
  for (const ip of [ips.find((address) => isIPv4(address)), ips.find((address) => isIPv6(address))]) {
    if (ip === undefined) continue;
    await deps.hostPorts.add({ id: record.id, podName: record.metadata.name, ip, mappings: record.portMappings });
  }
}

/** Closes the pod's ports on the host. Idempotent. */
export async function closeHostPorts(deps: Pick<PodDeps, "hostPorts">, record: PodRecord): Promise<void> {
  if (record.portMappings.length > 0) await deps.hostPorts.remove({ id: record.id, mappings: record.portMappings });
}
