export type { BlobOptions } from "./blob.ts";
export {
  createRegistryClient,
  type RegistryClient,
  type RegistryClientOptions,
  type ResolveOptions,
} from "./client.ts";
export { type Credential, credentialFromAuth, credentialFromRequest } from "./credential.ts";
export {
  type AuthFilePath,
  authFileSearchPath,
  type CredentialSource,
  type CredentialSourceOptions,
  createCredentialSource,
  credentialsInFile,
  noCredentials,
} from "./credentials.ts";
export { type Endpoint, endpointsFor } from "./endpoints.ts";
export { type RegistryFailure, RegistryFault, registryFailureOf } from "./failure.ts";
export { defaultLimits, type RegistryLimits } from "./limits.ts";
export { loadRegistriesConf, type RegistriesConfFiles } from "./load-registries-conf.ts";
export {
  emptyRegistriesConfig,
  type MirrorRule,
  type RegistriesConfig,
  type RegistryRule,
  type ShortNameMode,
} from "./registries-conf.ts";
export { loadRegistriesD, type SignaturePlaces } from "./registries-d.ts";
export type { ResolvedImage, ResolvedManifest } from "./resolve.ts";
export { candidatesForShortName } from "./short-names.ts";
export type { RegistrySource } from "./source.ts";
