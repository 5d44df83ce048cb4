export {
  type Container,
  type ContainerImage,
  type ContainerRecord,
  type ContainerState,
  type ExitedState,
  isLive,
  type MountPropagation,
  type Volume,
} from "./container.ts";
export { type ContainerExtras, containerAnnotations, containerRecordFrom, isCrioSpec } from "./container-codec.ts";
export { type Creation, Creations, type CreationsOptions } from "./creations.ts";
export { damagedContainerRecord, damagedPodRecord } from "./damaged.ts";
export { type ContainerEvent, Events } from "./events.ts";
export { hasMarker, type Marker, readSpec, readState, writeMarker, writeSpec, writeState } from "./files.ts";
export { IdIndex } from "./id-index.ts";
export type {
  ContainerMetadata,
  HugepageLimit,
  IdMapping,
  LinuxResources,
  NamespaceMode,
  NamespaceOptions,
  PodMetadata,
  PortMapping,
  Protocol,
  SecurityProfile,
  SeLinuxOptions,
  StringMap,
  UserNamespaceOptions,
} from "./kube.ts";
export { Names } from "./names.ts";
export { isReady, type Pod, type PodNamespaces, type PodRecord, type UserNamespace } from "./pod.ts";
export { type PodExtras, podAnnotations, podRecordFrom } from "./pod-codec.ts";
export { type StoredState, statusWord } from "./state-json.ts";
export {
  parseStorageMetadata,
  podMetadataFrom,
  type StorageMetadata,
  storageMetadataJson,
} from "./storage-metadata.ts";
export { Containers, Pods } from "./stores.ts";
