export { type AnnotationsPlan, specAnnotations, systemdAnnotations } from "./annotations.ts";
export * from "./cdi/index.ts";
export { buildContainerSpec, containerWarnings } from "./container.ts";
export { type ContainerMountsPlan, fileMount } from "./container-mounts.ts";
export { type DeviceSpec, parseAnnotatedDevices, parseDeviceSpec } from "./device-list.ts";
export {
  type ConfiguredDevice,
  type DeviceNode,
  type DevicesPlan,
  type PlannedDevices,
  planDevices,
  type RequestedDevice,
} from "./devices.ts";
export { specWithAnnotations, specWithDevices, specWithEnv, specWithMounts } from "./edits.ts";
export { type GomaxprocsPlan, injectedGomaxprocs } from "./gomaxprocs.ts";
export { type HookRule, hooksFor, maxHookFileBytes, parseHookFile } from "./hooks/index.ts";
export { buildInfraSpec, infraArgs } from "./infra.ts";
export {
  checkMountRequests,
  type MountPropagation,
  type MountRequest,
  type MountRules,
  type MountSource,
  type PlannedMounts,
  type PlannedVolume,
  type RequestedMount,
} from "./mount-request.ts";
export { planMounts } from "./mounts.ts";
export { type PidRequest, pidNamespace } from "./namespaces.ts";
export { cleanPath } from "./paths.ts";
export type {
  ConfinementPlan,
  ContainerSpecPlan,
  HostFacts,
  InfraSpecPlan,
  InheritedLimits,
  NamespacesPlan,
  NamespaceUse,
  PodFiles,
  ReadyMount,
  UserNamespacePlan,
  UserPlan,
} from "./plan.ts";
export { type CommandPlan, mergedEnv, parseUmask, processArgs, processCwd, processEnv } from "./process.ts";
export type { RequestedResources, ResourcesPlan } from "./resources.ts";
export { rootlessSpec } from "./rootless.ts";
export { runsSystemd } from "./systemd-mode.ts";
export { parseUnified } from "./unified.ts";
export { type WorkloadDefaults, type WorkloadResources, workloadResources } from "./workload.ts";
