import type { Logger, Operations } from "../base/index.ts";
import { type Config, tlsCipherSuites, version } from "../config/index.ts";
import type { TlsOptions } from "../host/index.ts";
import type { PullView } from "../images/index.ts";
import { Metrics, MetricsServer, type PullProgressReading, Tracing } from "../observe/index.ts";
import type { Parts } from "./parts.ts";

/** The metrics of `[crio.metrics]`; undefined when they are off. `parts` is asked when somebody reads them. */
export async function composeMetrics(
  { metrics }: Config,
  { operations, parts }: { readonly operations: Operations; readonly parts: () => Parts },
): Promise<Metrics | undefined> {
  if (!metrics.enableMetrics) return undefined;
  return await Metrics.create({
    collectors: metrics.metricsCollectors,
    operations,
    defaultRuntime: () => parts().live.handlers.defaultName,
    pulls: () => parts().images.underway.list().flatMap(readingsOf),
  });
}

function readingsOf({ image, layers }: PullView): readonly PullProgressReading[] {
  return layers.map(({ digest, doneBytes, totalBytes }) => {
    return { image, layer: digest, receivedBytes: doneBytes, sizeBytes: totalBytes };
  });
}

/** The traces of `[crio.tracing]`; undefined when they are off, which then cost nothing. */
export function composeTracing({ tracing }: Config, operations: Operations, log: Logger): Tracing | undefined {
  if (!tracing.enableTracing) return undefined;
  return new Tracing({
    endpoint: tracing.tracingEndpoint,
    perMillion: tracing.tracingSamplingRatePerMillion,
    version,
    operations,
    log,
  });
}

/** Where they are served. */
export function composeMetricsServer({ metrics: options, api }: Config, metrics: Metrics, log: Logger): MetricsServer {
  const tls = tlsOptions(options, api);
  return new MetricsServer({
    metrics,
    host: options.metricsHost,
    port: options.metricsPort,
    socket: options.metricsSocket,
    ...(tls === undefined ? {} : { tls }),
    log,
  });
}

function tlsOptions(
  { metricsCert, metricsKey }: Config["metrics"],
  { tlsMinVersion, tlsCipherSuites: suites }: Config["api"],
): TlsOptions | undefined {
  if (metricsCert === "" || metricsKey === "") return undefined;
  return {
    what: "the metrics endpoint",
    certificateFile: metricsCert,
    keyFile: metricsKey,
    refuseExpired: true,
    minVersion: tlsMinVersion === "VersionTLS13" ? "TLSv1.3" : "TLSv1.2",
    ciphers: suites.map((name) => tlsCipherSuites.get(name) ?? name),
  };
}
