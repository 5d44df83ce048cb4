export { allFaults } from "./all-faults.ts";
export { knownAnnotations } from "./annotations.ts";
export { capabilityNames, capabilityOf } from "./capabilities.ts";
export { changedOptions, type OptionChange, withReloaded } from "./changes.ts";
export { completeConfig } from "./complete.ts";
export { parseCpuset } from "./cpuset.ts";
export { type DecodedFile, decodeConfigFile } from "./decode-file.ts";
export { builtInConfig, builtInHandler, defaultConfig } from "./defaults.ts";
export { type DeviceRequest, parseDevice } from "./device.ts";
export { durationText, parseDuration, parseDurationMs } from "./duration.ts";
export { type Environment, type FlagRow, flagRows, type GivenFlags } from "./flags.ts";
export { parseGoBool, parseGoInt } from "./go-values.ts";
export { handlerProblem, usableHandlers } from "./handlers.ts";
export { type Note, type Source, sourceText } from "./layer.ts";
export { type LoadedConfig, loadConfig } from "./load.ts";
export { parseLogLevel } from "./log-options.ts";
export { parseMemorySize } from "./memory-size.ts";
export { migrateDefaults, migratedVersions } from "./migrate.ts";
export type { Kind, Option, OptionValue, Reload } from "./option.ts";
export { metricsCollectors } from "./options/metrics.ts";
export { configToml, type RenderOptions, renderConfig, wrapText } from "./render.ts";
export { suggestion } from "./suggest.ts";
export { parseSysctl, type Sysctl } from "./sysctl.ts";
export {
  type Config,
  type Row,
  type RuntimeHandler,
  rows,
  type SectionName,
  tableKeys,
  valueAt,
  type Workload,
} from "./table.ts";
export { tlsCipherSuites } from "./tls.ts";
export { parseToml } from "./toml.ts";
export { parseUlimit, type Ulimit } from "./ulimit.ts";
export { type Problem, problemText, validateConfig, withSource } from "./validate.ts";
export { type VersionInfo, version } from "./version.ts";
