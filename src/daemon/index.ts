export { type CheckCommand, check } from "./check.ts";
export { checkNamedFiles, type NamedFiles } from "./named-files.ts";
export { preflight } from "./preflight.ts";
export { type DaemonOptions, runDaemon } from "./run.ts";
export { type WipeCommand, wipe } from "./wipe.ts";
