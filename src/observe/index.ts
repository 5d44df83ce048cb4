export { containerInfoJson, type InspectState } from "./container-info.ts";
export { type DaemonInfo, type IdRange, type InspectDeps, inspectEndpoints, profileEndpoints } from "./inspect.ts";
export { type CallNews, Metrics, type PullProgressReading } from "./metrics/metrics.ts";
export { MetricsServer, type MetricsServerOptions } from "./metrics/server.ts";
export { countContainerEnds } from "./metrics/watch-containers.ts";
export type { TraceSource } from "./tracing/trace-context.ts";
export { Tracing, type TracingOptions } from "./tracing/tracing.ts";
export { waitsText } from "./waits.ts";
export { type WhyAnswer, whyStuck } from "./why.ts";
