export { type AtomicWriteOptions, removeUnfinishedWrites, syncDirectory, writeFileAtomic } from "./atomic-write.ts";
export { readBounded, readWhole } from "./bounded-read.ts";
export type { KernelPath } from "./c-string.ts";
export { boundingCapabilities, ownCapabilities } from "./capabilities.ts";
export { type ConsoleSocket, listenForConsole } from "./console-socket.ts";
export { onAllCpus } from "./cpu-affinity.ts";
export * from "./dbus/index.ts";
export {
  type CallOptions,
  createSystemd,
  type DbusAddress,
  DbusConnection,
  DbusFault,
  type DbusValue,
  isVariant,
  type MethodCall,
  parseUnitName,
  type ScopePlan,
  type Systemd,
  type SystemdOptions,
  scopeProperties,
  type UnitName,
  type UnitProperty,
  type UnitPropertyName,
  type Variant,
  variant,
} from "./dbus/index.ts";
export { DirectoryWatch, type DirectoryWatchOptions } from "./directory-watch.ts";
export { DiskUsageMeter, type DiskUsageOptions, diskUsage } from "./disk-usage.ts";
export type { DiskUsage } from "./disk-walk.ts";
export { type ExitStatus, exitStatusOf, exitStatusText } from "./exit-status.ts";
export { type FileLock, type FileLockOptions, FileLocks, type LockMode, lockFile } from "./file-locks.ts";
export {
  findProcessesByArguments,
  findProcessesByVariable,
  findProcessesOfSession,
  killFound,
} from "./find-processes.ts";
export { findProgram } from "./find-program.ts";
export { makeDirectoryInRoot, type OpenInRootOptions, openInRoot, readFileInRoot } from "./in-root.ts";
export type { InterfaceCounters } from "./interface-counters.ts";
export { type MountEntry, mountEntryOf, parseMountTable, readMountTable } from "./mount-table.ts";
export {
  type BindOptions,
  bindMount,
  bindMountMapped,
  type MountFlag,
  mountTmpfs,
  setPropagation,
  type TmpfsPlan,
  unmount,
} from "./mounts.ts";
export type { IdMapping, NamespacePins, NamespacePlan } from "./namespace-plan.ts";
export { type NamespaceCallOptions, NamespaceWorker, unpinNamespace } from "./namespaces.ts";
export { mountOverlay, type OverlayPlan } from "./overlay.ts";
export { connectPackets, type PacketConnection, type PacketConnectionOptions } from "./packet-connection.ts";
export {
  isSameProcess,
  isSameProcessNow,
  type ProcessInfo,
  parseProcessStat,
  readProcess,
  sendSignal,
  signalSameProcess,
} from "./processes.ts";
export { adoptOrphan, becomeSubreaper, reapUnknownChildren } from "./reaper.ts";
export { Relabeller, seLinuxLabelOf } from "./relabel.ts";
export { type ProgramResult, type RunOptions, runProgram, runProgramOk } from "./run-program.ts";
export {
  type CallOptions as SerialCallOptions,
  SerialWorker,
  type SerialWorkerOptions,
  type WorkerAnswer,
} from "./serial-worker.ts";
export { notifyServiceManager } from "./service-notify.ts";
export { type StartedProgram, type StartOptions, type StdioPlan, startProgram } from "./start-program.ts";
export { syncFilesystem } from "./sync-filesystem.ts";
export {
  chdir,
  chmod,
  chroot,
  close,
  fchdir,
  kernel,
  lchown,
  lgetxattr,
  llistxattr,
  lremovexattr,
  lsetxattr,
  makedev,
  mkdirat,
  mknod,
  openat,
  setns,
  unshare,
  unshareFs,
  utimensAt,
} from "./syscalls.ts";
export { SystemCallError } from "./system-call-error.ts";
export { resizeTerminal, type Terminal, type TerminalSize, terminalOf } from "./terminal.ts";
export { workerFile } from "./worker-file.ts";
export { serveRequests } from "./worker-port.ts";
