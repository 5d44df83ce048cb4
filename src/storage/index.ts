export {
  type ArtifactStore,
  type NewArtifact,
  openArtifactStore,
  type StoredArtifact,
} from "./artifacts/artifact-store.ts";
export { isSound } from "./check.ts";
export { checkDriver } from "./driver-options.ts";
export { type OpenStoreOptions, openStore } from "./open-store.ts";
export type { IdMap } from "./records/common-fields.ts";
export type { StoredContainer } from "./records/container-record.ts";
export type { StoredImage } from "./records/image-record.ts";
export type { StoredLayer } from "./records/layer-record.ts";
export type {
  CheckOptions,
  CommitOptions,
  ImageData,
  MountOptions,
  NewContainerOptions,
  NewImageOptions,
  RepairOptions,
  RepairReport,
  StagedLayer,
  StageOptions,
  Store,
  StoreReport,
  UnmountOptions,
} from "./store.ts";
export { defaultLayerLimits, type LayerLimits } from "./unpack/limits.ts";
export { type WipeOptions, wipeStore } from "./wipe.ts";
