import { jsonField, jsonText, parseJsonObject } from "../oci/index.ts";
import type { PodMetadata } from "./kube.ts";

/** What CRI-O writes into the store's record of a container, as JSON text (reference: ondisk.md 3.1). */
export interface StorageMetadata {
  readonly podName: string;
  readonly podId: string;
  readonly imageName: string;
  readonly imageId: string;
  /** The `k8s_…` name. */
  readonly name: string;
  readonly metadataName: string;
  readonly uid: string;
  readonly namespace: string;
  readonly attempt: number;
  readonly createdAtSeconds: number;
  readonly isPod: boolean;
  readonly privileged: boolean;
  /** SELinux label of its files; kept for pods alone. */
  readonly mountLabel?: string;
}

const maxMetadataBytes = 1 << 20;

export function storageMetadataJson(metadata: StorageMetadata): string {
  return JSON.stringify({
    "pod-name": metadata.podName,
    "pod-id": metadata.podId,
    "image-name": metadata.imageName,
    "image-id": metadata.imageId,
    name: metadata.name,
    "metadata-name": metadata.metadataName,
    ...(metadata.uid === "" ? {} : { uid: metadata.uid }),
    ...(metadata.namespace === "" ? {} : { namespace: metadata.namespace }),
    ...(metadata.mountLabel === undefined || metadata.mountLabel === "" ? {} : { mountlabel: metadata.mountLabel }),
    "created-at": metadata.createdAtSeconds,
    ...(metadata.attempt === 0 ? {} : { attempt: metadata.attempt }),
    ...(metadata.isPod ? { pod: true } : {}),
    ...(metadata.privileged ? { privileged: true } : {}),
  });
}

/** Reads it back; undefined for a record that is not CRI-O's (podman and buildah share the store). */
export function parseStorageMetadata(text: string): StorageMetadata | undefined {
  if (text === "") return undefined;
  const what = "the store's metadata";
  let body: ReturnType<typeof parseJsonObject>;
  try {
    body = parseJsonObject(Buffer.from(text), what, maxMetadataBytes);
  } catch {
    return undefined; // somebody else's format
  }
  const field = (key: string) => {
    const value = jsonField(body, key);
    return typeof value === "string" ? value : "";
  };
  const number = (key: string) => {
    const value = jsonField(body, key);
    return typeof value === "number" && Number.isSafeInteger(value) ? value : 0;
  };
  if (field("pod-name") === "" || field("pod-id") === "") return undefined;
  return {
    podName: field("pod-name"),
    podId: jsonText(body, "pod-id", what) ?? "",
    imageName: field("image-name"),
    imageId: field("image-id"),
    name: field("name"),
    metadataName: field("metadata-name"),
    uid: field("uid"),
    namespace: field("namespace"),
    attempt: number("attempt"),
    createdAtSeconds: number("created-at"),
    isPod: jsonField(body, "pod") === true,
    privileged: jsonField(body, "privileged") === true,
  };
}

/** The pod's metadata as far as the store's record has it: enough to give back its network after a creation was cut off. */
export function podMetadataFrom(metadata: StorageMetadata): PodMetadata {
  return {
    name: metadata.metadataName,
    uid: metadata.uid,
    namespace: metadata.namespace,
    attempt: metadata.attempt,
  };
}
