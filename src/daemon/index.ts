export { type DaemonOptions, runDaemon } from "./run.ts";
