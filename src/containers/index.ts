export { mapAtOnce } from "./at-once.ts";
export { attachToContainer, type ContainerAttachment } from "./attach.ts";
export { CdiDevices } from "./cdi-devices.ts";
export { type CpuUsage, cpuUsage, readCgroup } from "./cgroup-usage.ts";
export type {
  CapabilityChange,
  ContainerConfig,
  ContainerSecurity,
  DeviceConfig,
  EnvEntry,
  MountConfig,
} from "./config.ts";
export { createContainer } from "./create.ts";
export type { ContainerDeps, ContainerOptions, DeviceOption, Handlers, HostFacts, Ulimit } from "./deps.ts";
export { type ExecCommand, execInContainer, requireLive } from "./exec.ts";
export { execSyncInContainer } from "./exec-sync.ts";
export { findContainer } from "./find.ts";
export { HookDirectories } from "./hook-directories.ts";
export { ImageMounts } from "./image-mounts.ts";
export { checkLabels } from "./labels.ts";
export { caughtUp, type Loaded, loadContainer } from "./load.ts";
export { checkedLogDirectory } from "./log-path.ts";
export { NanoCores } from "./nano-cores.ts";
export { endOf, noteExit } from "./note-exit.ts";
export { monitorPlacer } from "./place-monitor.ts";
export { countProcesses, type ProcessCounts, readOpenFilesLimit } from "./process-counts.ts";
export { refreshContainer } from "./refresh.ts";
export { everyStep, releaseContainer, releaseProcesses } from "./release.ts";
export { removeContainer } from "./remove.ts";
export { reopenContainerLog } from "./reopen-log.ts";
export { resolveSeccomp, type SeccompResult } from "./security.ts";
export { SeLinux } from "./selinux.ts";
export { startContainer } from "./start.ts";
export { type ContainerStats, type ContainerStatsDeps, readContainerStats } from "./stats.ts";
export { stopContainer } from "./stop.ts";
export { patienceWithin, Stopping } from "./stopping.ts";
export { undoCreation } from "./undo-creation.ts";
export { updateContainer } from "./update.ts";
export { hostRoot, mountOptionsIn, userNamespacePlan } from "./user-namespace.ts";
export { allowedAnnotations, resourcesOfWorkload, type Workload, workloadOf } from "./workloads.ts";
export { type LayerUsage, WritableLayers } from "./writable-layers.ts";
