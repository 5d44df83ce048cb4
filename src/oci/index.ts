export { choosePlatform } from "./choose-platform.ts";
export {
  crioAnnotation,
  crioManager,
  type FeatureAnnotation,
  featureAnnotation,
  featureValue,
  ipAnnotation,
  isCrioAnnotation,
  knownAnnotations,
  olderCrioAnnotation,
  skipGomaxprocsAnnotation,
} from "./crio-annotations.ts";
export { type Descriptor, parseDescriptor } from "./descriptor.ts";
export {
  type Digest,
  type DigestAlgorithm,
  digestAlgorithm,
  digestFromHex,
  digestHex,
  digestOf,
  isDigest,
  parseDigest,
} from "./digest.ts";
export {
  checkLayersMatch,
  type ImageConfig,
  type ImageHistory,
  type ImageRunConfig,
  imageConfigJson,
  maxImageConfigBytes,
  parseImageConfig,
} from "./image-config.ts";
export {
  type ImageSignature,
  maxSignatureBytes,
  maxSignatures,
  parseSignatureBlob,
  signatureBlob,
} from "./image-signature.ts";
export {
  type JsonObject,
  jsonBoolean,
  jsonField,
  jsonKeys,
  jsonList,
  jsonObject,
  jsonText,
  jsonTextMap,
  jsonTexts,
  parseJsonObject,
} from "./json.ts";
export { type ImageManifest, type IndexManifest, type Manifest, maxManifestBytes, parseManifest } from "./manifest.ts";
export {
  imageConfigMediaTypes,
  isIndexMediaType,
  isManifestMediaType,
  type ManifestMediaType,
  manifestMediaTypes,
} from "./media-types.ts";
export { acceptedVariants, hostPlatform, type Platform, parsePlatform, platformText } from "./platform.ts";
export {
  type ImageReference,
  isShortName,
  parseReference,
  referenceText,
  repositoryText,
  withDefaultTag,
} from "./reference.ts";
export { scopesOf } from "./reference-scopes.ts";
export type * from "./runtime-spec.ts";
export { ociVersion } from "./runtime-spec.ts";
export { exactJson, maxRuntimeSpecBytes, parseRuntimeSpec, runtimeJson } from "./runtime-spec-json.ts";
export { parseStrictJsonObject, refuseUnknownFields } from "./strict-json.ts";
export { parseYamlObject } from "./yaml.ts";
