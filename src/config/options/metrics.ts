import { bool, int, list, type Section, text } from "../option.ts";

/** The Prometheus collectors, by their names without the prefix `container_runtime_crio_`. */
export const metricsCollectors: readonly string[] = [
  "image_pulls_layer_size",
  "containers_events_dropped_total",
  "containers_oom_total",
  "processes_defunct",
  "operations_total",
  "operations_latency_seconds",
  "operations_latency_seconds_total",
  "operations_errors_total",
  "image_pulls_bytes_total",
  "image_pulls_skipped_bytes_total",
  "image_pulls_failure_total",
  "image_pulls_success_total",
  "image_layer_reuse_total",
  "containers_oom_count_total",
  "containers_seccomp_notifier_count_total",
  "resources_stalled_at_stage",
  "containers_stopped_monitor_count",
  "default_runtime",
];

/** `[crio.metrics]`: the Prometheus endpoint. */
export const metricsOptions = {
  enable_metrics: bool(false, {
    flag: "enable-metrics",
    env: ["CONTAINER_ENABLE_METRICS"],
    doc: "Whether metrics are served for Prometheus at /metrics.",
  }),
  metrics_collectors: list(metricsCollectors, {
    flag: "metrics-collectors",
    env: ["CONTAINER_METRICS_COLLECTORS"],
    doc: `The metrics that are collected; names may carry the prefixes "container_runtime_" and "crio_". Unknown names are
      ignored.`,
  }),
  metrics_host: text("127.0.0.1", {
    flag: "metrics-host",
    env: ["CONTAINER_METRICS_HOST"],
    doc: "Address on which metrics are served.",
  }),
  metrics_port: int(9090, {
    flag: "metrics-port",
    env: ["CONTAINER_METRICS_PORT"],
    doc: "Port on which metrics are served.",
  }),
  metrics_socket: text("", {
    isPath: true,
    flag: "metrics-socket",
    env: ["CONTAINER_METRICS_SOCKET"],
    doc: "Path of a Unix socket on which metrics are served too. Empty means none.",
  }),
  metrics_cert: text("", {
    isPath: true,
    flag: "metrics-cert",
    env: ["CONTAINER_METRICS_CERT"],
    reload: "content",
    doc: `Certificate file (PEM); together with metrics_key it makes the endpoint HTTPS. When neither file exists, a
      self-signed pair is made. Read again whenever the file changes.`,
  }),
  metrics_key: text("", {
    isPath: true,
    flag: "metrics-key",
    env: ["CONTAINER_METRICS_KEY"],
    reload: "content",
    doc: "File with the private key (PEM) of metrics_cert. Read again whenever the file changes.",
  }),
} satisfies Section;
