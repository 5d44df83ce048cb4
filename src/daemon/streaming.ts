import type { Logger } from "../base/index.ts";
import { type Config, parseDurationMs, tlsCipherSuites } from "../config/index.ts";
import type { TlsOptions } from "../host/index.ts";
import type { PodDeps } from "../pods/index.ts";
import { createStreamingServer, type StreamingServer } from "../streaming/index.ts";
import { streamingBackend } from "./streaming-backend.ts";

/** The streaming server of `[crio.api]`. */
export function composeStreaming({ api }: Config, pods: PodDeps, log: Logger): StreamingServer {
  const tls = tlsOptions(api);
  return createStreamingServer({
    address: api.streamAddress,
    port: Number(api.streamPort),
    backend: streamingBackend(pods),
    log,
    ...(tls === undefined ? {} : { tls }),
    ...(api.streamIdleTimeout === "" ? {} : { idleTimeoutMs: parseDurationMs(api.streamIdleTimeout) }),
  });
}

function tlsOptions(api: Config["api"]): TlsOptions | undefined {
  if (!api.streamEnableTls) return undefined;
  return {
    what: "the streaming server",
    certificateFile: api.streamTlsCert,
    keyFile: api.streamTlsKey,
    ...(api.streamTlsCa === "" ? {} : { clientCaFile: api.streamTlsCa }),
    minVersion: api.tlsMinVersion === "VersionTLS13" ? "TLSv1.3" : "TLSv1.2",
    ciphers: api.tlsCipherSuites.map((name) => tlsCipherSuites.get(name) ?? name),
  };
}
