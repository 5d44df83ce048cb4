import { createHash } from "node:crypto";
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { createSecureContext, rootCertificates, type SecureContext } from "node:tls";
import { Fault, reasonOf } from "../base/index.ts";
import type { Endpoint } from "./endpoints.ts";
import { type ProxySettings, proxyFor } from "./proxy.ts";
import { remembered } from "./remembered.ts";
import { type RegistryCertificates, readRegistryCertificates, readSystemCas } from "./tls-files.ts";

/** How to reach one registry and the hosts it sends us to: trust, client certificates, proxies, open connections. */
export interface Wire {
  /** HTTPS is not verified, HTTP is allowed. */
  readonly insecure: boolean;
  /** The agent for a request. Client certificates are shown to the registry itself alone. */
  agentFor(url: URL): HttpAgent;
}

export interface Wires {
  /** The wire to an endpoint. The certificate files are read anew, connections are kept while they stay the same. */
  wireTo(endpoint: Endpoint): Promise<Wire>;
  /** Ends all connections, those in use too. */
  close(): void;
}

export interface WiresOptions {
  readonly certsDirs: readonly string[];
  readonly proxies: ProxySettings;
  /** For SSL_CERT_FILE. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

const maxWires = 64;
/** An idle connection is closed after this long. */
const idleMs = 30_000;

export function createWires(options: WiresOptions): Wires {
  const wires = new Map<string, { readonly wire: Wire; readonly close: () => void }>();
  const systemCas = remembered(() => readSystemCas(options.env));
  return {
    async wireTo(endpoint) {
      const certificates = await readRegistryCertificates(options.certsDirs, endpoint.reference.domain);
      const trusted = (await systemCas()) ?? rootCertificates.join("\n");
      const key = `${endpoint.insecure} ${endpoint.host} ${fingerprint(certificates)}`;
      const entry = wires.get(key) ?? createWire(endpoint, certificates, trusted, options.proxies);
      // last used last; what falls off the front keeps its connections in use, idle ones end by themselves
      wires.delete(key);
      wires.set(key, entry);
      for (const oldest of wires.keys()) {
        if (wires.size <= maxWires) break;
        wires.delete(oldest);
      }
      return entry.wire;
    },
    close() {
      for (const { close } of wires.values()) close();
      wires.clear();
    },
  };
}

function createWire(
  endpoint: Endpoint,
  certificates: RegistryCertificates,
  trusted: Buffer | string,
  proxies: ProxySettings,
): { readonly wire: Wire; readonly close: () => void } {
  const { insecure, host } = endpoint;
  const agents = new Map<string, HttpAgent>();
  const agentFor = (url: URL): HttpAgent => {
    const proxy = proxyFor(proxies, url);
    const isOwn = url.host === new URL(`${url.protocol}//${host}`).host;
    const kind = `${url.protocol} ${isOwn ? "own" : "other"} ${proxy ?? "direct"}`;
    const known = agents.get(kind);
    if (known !== undefined) return known;
    const common = { keepAlive: true, timeout: idleMs, ...(proxy !== undefined && { proxyEnv: proxyEnv(proxy) }) };
    const agent =
      url.protocol === "https:"
        ? new HttpsAgent({
            ...common,
            secureContext: secureContext(certificates, trusted, isOwn),
            rejectUnauthorized: !insecure,
          })
        : new HttpAgent(common);
    agents.set(kind, agent);
    return agent;
  };
  return {
    wire: { insecure, agentFor },
    close() {
      for (const agent of agents.values()) agent.destroy();
    },
  };
}

/** Made once per agent: reading the trust store takes 17 ms of the main thread, too much for each connection. */
function secureContext(certificates: RegistryCertificates, trusted: Buffer | string, isOwn: boolean): SecureContext {
  const clients = isOwn ? certificates.clients : [];
  try {
    return createSecureContext({
      ca: [trusted, ...certificates.cas],
      ...(clients.length > 0 && { cert: clients.map(({ cert }) => cert), key: clients.map(({ key }) => key) }),
    });
  } catch (error) {
    const where = certificates.directory ?? "the system's trust store";
    throw new Fault("invalid", `loading the certificates of ${where}: ${reasonOf(error)}`, { cause: error });
  }
}

function proxyEnv(proxy: string): { readonly HTTP_PROXY: string; readonly HTTPS_PROXY: string } {
  return { HTTP_PROXY: proxy, HTTPS_PROXY: proxy };
}

function fingerprint({ cas, clients }: RegistryCertificates): string {
  const hash = createHash("sha256");
  for (const part of [...cas, ...clients.flatMap(({ cert, key }) => [cert, key])]) {
    hash.update(`${part.byteLength} `).update(part);
  }
  return hash.digest("hex");
}
