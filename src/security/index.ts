export { checkAllowedAnnotations, filterAnnotations } from "./annotations.ts";
export {
  type AppArmorField,
  type AppArmorHost,
  type AppArmorRequest,
  chooseAppArmor,
  isAppArmorEnabled,
  isAppArmorProfileLoaded,
  loadAppArmorProfile,
} from "./apparmor.ts";
export { appArmorProfileText, defaultAppArmorProfile } from "./apparmor-profile.ts";
export {
  type Capability,
  type CapabilityRequest,
  capabilityFrom,
  capabilityNames,
  type HostCapabilities,
  knownCapabilities,
  type ResolvedCapabilities,
  resolveCapabilities,
} from "./capabilities.ts";
export {
  checkIdMappings,
  containsId,
  highestContainerId,
  idMappingsText,
  linuxIdMappings,
  maxId,
  parseIdMappings,
  toContainerId,
  toHostId,
} from "./id-maps.ts";
export { type MaskedPathsRequest, maskedPaths, readonlyPaths, thermalThrottlePaths } from "./masked-paths.ts";
export {
  generatedGroup,
  generatedPasswd,
  groupEntryFor,
  homeFrom,
  passwdEntryFor,
  type UserFile,
} from "./passwd-entry.ts";
export { maxUserFileBytes } from "./passwd-file.ts";
export { hasControlCharacter, shownText } from "./safe-text.ts";
export { builtinSeccompProfile } from "./seccomp/builtin-profile.ts";
export {
  chooseSeccomp,
  type SeccompChoice,
  type SeccompField,
  type SeccompRequest,
  wantsArtifactProfile,
} from "./seccomp/choose.ts";
export { compileSeccomp, kernelVersionFrom, type SeccompTarget } from "./seccomp/compile.ts";
export { hostHasSeccomp, loadSeccompProfile } from "./seccomp/load.ts";
export { maxSeccompProfileBytes, parseSeccompProfile } from "./seccomp/parse.ts";
export type { KernelVersion, SeccompProfile, SeccompRule } from "./seccomp/profile.ts";
export {
  mergedSeLinuxOptions,
  noSeLinuxLabels,
  type SeLinuxLabels,
  type SeLinuxOptions,
  seLinuxLabelText,
  seLinuxMode,
  unconfinedSeLinuxType,
} from "./selinux.ts";
export {
  freeSeLinuxLevel,
  loadSeLinuxPolicy,
  parseSeLinuxLabel,
  refuseHostRelabel,
  type SeLinuxPolicy,
  seLinuxLabelsFor,
} from "./selinux-policy.ts";
export {
  filterSysctls,
  type SkippedSysctl,
  type SysctlPlan,
  type SysctlRequest,
  skippedSysctlText,
} from "./sysctls.ts";
export { type ResolvedUser, resolveUser, type UserRequest } from "./user.ts";
