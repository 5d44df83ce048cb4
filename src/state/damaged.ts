import type { ContainerRecord } from "./container.ts";
import type { PodNamespaces, PodRecord } from "./pod.ts";
import { podMetadataFrom, type StorageMetadata } from "./storage-metadata.ts";

interface Place {
  readonly dir: string;
  readonly runDir: string;
}

/**
 * What is known of a pod whose config.json cannot be read: what the store's own record says, which is enough to list it, and to remove it
 * with what its id names.
 */
export function damagedPodRecord(
  id: string,
  metadata: StorageMetadata,
  place: Place & { readonly namespaces: PodNamespaces },
): PodRecord {
  return {
    id,
    name: metadata.podName,
    infraName: metadata.name,
    metadata: podMetadataFrom(metadata),
    labels: {},
    annotations: {},
    createdAtNs: BigInt(metadata.createdAtSeconds) * 1_000_000_000n,
    runtimeHandler: "",
    logDirectory: "",
    hostname: "",
    cgroupParent: "",
    namespaceOptions: { network: "pod", pid: "container", ipc: "pod", targetId: "" },
    hostNetwork: false,
    privileged: metadata.privileged,
    portMappings: [],
    shmPath: "",
    resolvPath: "",
    hostnamePath: "",
    mountPoint: "",
    hasInfraProcess: true,
    ...place,
  };
}

/** The same of a container. */
export function damagedContainerRecord(
  id: string,
  metadata: StorageMetadata,
  place: Place & { readonly runtimeHandler: string },
): ContainerRecord {
  return {
    id,
    podId: metadata.podId,
    name: metadata.name,
    metadata: { name: metadata.metadataName, attempt: metadata.attempt },
    image: { requested: metadata.imageName, name: "", id: metadata.imageId, repoDigests: [] },
    labels: {},
    annotations: {},
    createdAtNs: BigInt(metadata.createdAtSeconds) * 1_000_000_000n,
    logPath: "",
    tty: false,
    stdin: false,
    stdinOnce: false,
    mountPoint: "",
    volumes: [],
    stopSignal: "",
    runtimePath: "",
    privileged: metadata.privileged,
    ...place,
  };
}
