export {
  type ArtifactStore,
  type NewArtifact,
  openArtifactStore,
  type StoredArtifact,
} from "./artifacts/artifact-store.ts";
export { type OpenStoreOptions, openStore } from "./open-store.ts";
export type { IdMap } from "./records/common-fields.ts";
export type { StoredContainer } from "./records/container-record.ts";
export type { StoredImage } from "./records/image-record.ts";
export type { StoredLayer } from "./records/layer-record.ts";
export type {
  CommitOptions,
  ImageData,
  MountOptions,
  NewContainerOptions,
  NewImageOptions,
  StagedLayer,
  StageOptions,
  Store,
  UnmountOptions,
} from "./store.ts";
export { defaultLayerLimits, type LayerLimits } from "./unpack/limits.ts";
