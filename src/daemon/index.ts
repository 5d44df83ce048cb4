export { type CheckCommand, check } from "./check.ts";
export { type DaemonOptions, runDaemon } from "./run.ts";
export { type WipeCommand, wipe } from "./wipe.ts";
