import { Fault, type Logger } from "../base/index.ts";
import { type Config, parseDurationMs, tlsCipherSuites } from "../config/index.ts";
import { readBounded, type TlsOptions } from "../host/index.ts";
import type { PodDeps } from "../pods/index.ts";
import { createStreamingServer, type StreamingServer } from "../streaming/index.ts";
import { streamingBackend } from "./streaming-backend.ts";

/** The streaming server of `[crio.api]`. */
export async function composeStreaming({ api }: Config, pods: PodDeps, log: Logger): Promise<StreamingServer> {
  const tls = tlsOptions(api);
  return createStreamingServer({
    address: api.streamAddress,
    port: await resolvePort(api.streamPort),
    backend: streamingBackend(pods),
    log,
    ...(tls === undefined ? {} : { tls }),
    ...(api.streamIdleTimeout === "" ? {} : { idleTimeoutMs: parseDurationMs(api.streamIdleTimeout) }),
  });
}

const maxServicesBytes = 4 << 20;

/** The number of a TCP port that is given as one, or by a name of services(5). Rejects with Fault("invalid") when it is neither. */
export async function resolvePort(text: string): Promise<number> {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  const services = await readBounded("/etc/services", maxServicesBytes).catch(() => Buffer.alloc(0));
  for (const line of services.toString().split("\n")) {
    const [name, port = "", ...aliases] = line.replace(/#.*/, "").trim().split(/\s+/);
    const number = /^(\d{1,5})\/tcp$/.exec(port)?.[1];
    if (number !== undefined && (name === text || aliases.includes(text))) return Number(number);
  }
  throw new Fault(
    "invalid",
    `${JSON.stringify(text)} is no port: a number from 0 to 65535, or the name of a TCP service`,
  );
}

/** How the streaming server uses TLS; undefined when it does not. */
export function tlsOptions(api: Config["api"]): TlsOptions | undefined {
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
