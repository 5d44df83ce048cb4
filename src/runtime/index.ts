export { type AttachFrame, type Attachment, attachToConmon } from "./conmon/attach.ts";
export { reopenLog, resizeTerminal } from "./conmon/control.ts";
export { type CreatedContainer, type CreateOptions, createUnderConmon, type KnownProcess } from "./conmon/create.ts";
export { endCreation } from "./conmon/end-creation.ts";
export { removeStaleExecDirectories } from "./exec-directory.ts";
export { type ExecSyncResult, execOutputLimitBytes, execSync, exitCodeOf } from "./exec-sync.ts";
export { type Exit, type ExitRecord, ExitWatch, forgetExit, readExit, removeExitFiles, wasOomKilled } from "./exits.ts";
export { type Monitor, type RuntimeFeatures, type RuntimeHandler, runtimeEnv } from "./handler.ts";
export { type ExecIo, type ExecOptions, type ExecSession, startExec } from "./oci/exec.ts";
export { probeRuntime, type RuntimeProbe } from "./oci/features.ts";
export {
  deleteInRuntime,
  killAllInRuntime,
  killInRuntime,
  type OciState,
  type OciStatus,
  pauseInRuntime,
  resumeInRuntime,
  startInRuntime,
  stateInRuntime,
  updateInRuntime,
} from "./oci/lifecycle.ts";
export { parseSignal, signalNumber } from "./signals.ts";
export { StopLoop, type StopTarget } from "./stop.ts";
