import { bool, int, type Section, text } from "../option.ts";

/** `[crio.tracing]`: OpenTelemetry. */
export const tracingOptions = {
  enable_tracing: bool(false, {
    flag: "enable-tracing",
    env: ["CONTAINER_ENABLE_TRACING"],
    doc: "Whether OpenTelemetry traces are exported.",
  }),
  tracing_endpoint: text("127.0.0.1:4317", {
    flag: "tracing-endpoint",
    env: ["CONTAINER_TRACING_ENDPOINT"],
    doc: "Address and port of the collector (OTLP over gRPC) that receives the traces.",
  }),
  tracing_sampling_rate_per_million: int(0, {
    flag: "tracing-sampling-rate-per-million",
    env: ["CONTAINER_TRACING_SAMPLING_RATE_PER_MILLION"],
    doc: `How many of a million requests are traced; 1000000 traces all. Zero traces those only whose caller (the kubelet)
      traces them.`,
  }),
} satisfies Section;
