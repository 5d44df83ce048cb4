import { access, chmod, mkdir, writeFile } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, ListenOptions } from "node:net";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { Fault, type Logger, reasonOf } from "../../base/index.ts";
import { clearStaleSocket, loadTls, selfSignedCertificate, type TlsOptions, watchTls } from "../../host/index.ts";
import type { Metrics } from "./metrics.ts";

export interface MetricsServerOptions {
  readonly metrics: Metrics;
  readonly host: string;
  readonly port: number;
  /** Path of a unix socket to serve on too; "" for none. */
  readonly socket: string;
  readonly tls?: TlsOptions;
  readonly log: Logger;
}

const headersTimeoutMs = 5_000;
const selfSignedForMs = 365 * 24 * 3_600_000;

/** Serves `GET /metrics` on an address, and on a unix socket where that is wanted. */
export class MetricsServer {
  readonly #options: MetricsServerOptions;
  readonly #servers: Server[] = [];
  readonly #stopping = new AbortController();

  constructor(options: MetricsServerOptions) {
    this.#options = options;
  }

  /** Rejects with what is taken, or wrong with the certificate; nothing is served then. */
  async start(): Promise<void> {
    const { host, port, socket, tls, log } = this.#options;
    try {
      if (tls !== undefined) await makeCertificateUnlessThere(tls, log);
      const address = await this.#listen({ host, port }, `${host}:${port}`);
      log.info(`Serving metrics on ${tls === undefined ? "HTTP" : "HTTPS"}`, { host, port: portOf(address) });
      if (socket === "") return;
      await mkdir(dirname(socket), { recursive: true, mode: 0o755 });
      await clearStaleSocket(socket);
      await this.#listen({ path: socket }, socket);
      await chmod(socket, 0o660);
      log.info("Serving metrics on a socket", { socket });
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(
      this.#servers.splice(0).map(async (server) => {
        const closed = new Promise((resolve) => server.close(resolve));
        server.closeAllConnections();
        await closed;
      }),
    );
  }

  async #listen(where: ListenOptions, name: string): Promise<ReturnType<Server["address"]>> {
    const server = await this.#server();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once("error", reject);
    server.listen(where, resolve);
    try {
      await promise;
    } catch (error) {
      throw new Fault("exists", `metrics cannot be served on ${name}: ${reasonOf(error)}`, { cause: error });
    }
    server.removeListener("error", reject);
    server.on("error", (error) =>
      this.#options.log.error("the metrics endpoint has trouble", { error: error.message }),
    );
    this.#servers.push(server);
    return server.address();
  }

  async #server(): Promise<Server> {
    const { tls, log } = this.#options;
    const timeouts = { headersTimeout: headersTimeoutMs, requestTimeout: headersTimeoutMs };
    const answer: RequestListener = (request, response) => void this.#answer(request, response);
    if (tls === undefined) return createServer(timeouts, answer);
    const server = createTlsServer({ ...timeouts, ...(await loadTls(tls)) }, answer);
    watchTls(server, tls, { signal: this.#stopping.signal, log });
    return server;
  }

  async #answer(...[request, response]: Parameters<RequestListener>): Promise<void> {
    const { metrics, log } = this.#options;
    const path = URL.parse(request.url ?? "", "http://crio")?.pathname;
    if (path !== "/metrics") {
      response.writeHead(404, { "content-type": "text/plain" }).end("404 page not found\n");
      return;
    }
    try {
      const text = await metrics.text();
      response.writeHead(200, { "content-type": metrics.contentType }).end(text);
    } catch (error) {
      log.error("collecting metrics failed", { error: reasonOf(error) });
      response.writeHead(500, { "content-type": "text/plain" }).end("collecting metrics failed; see the log\n");
    }
  }
}

function portOf(address: ReturnType<Server["address"]>): number | undefined {
  return typeof address === "object" ? (address satisfies AddressInfo | null)?.port : undefined;
}

/** Where neither certificate nor key is there, both are made, for this host and signed by itself. */
async function makeCertificateUnlessThere({ certificateFile, keyFile }: TlsOptions, log: Logger): Promise<void> {
  if ((await isThere(certificateFile)) || (await isThere(keyFile))) return;
  const { cert, key } = selfSignedCertificate([hostname(), "localhost", "127.0.0.1"], selfSignedForMs);
  for (const [path, text] of [
    [keyFile, key],
    [certificateFile, cert],
  ] as const) {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(path, text, { mode: 0o600, flag: "wx" });
  }
  log.info("made a self-signed certificate for the metrics endpoint", { certificate: certificateFile, key: keyFile });
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
