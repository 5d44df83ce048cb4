import { createServer as createHttpServer, type IncomingMessage, type Server } from "node:http";
import { createServer as createHttpsServer, type Server as HttpsServer } from "node:https";
import { isIPv6, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { Fault, type Logger, withStep } from "../base/index.ts";
import { loadTls, type TlsOptions, watchTls } from "../host/index.ts";
import type { AttachRequest, ExecRequest, PortForwardRequest, StreamingBackend } from "./backend.ts";
import { type Refusal, refuse } from "./http.ts";
import { limits } from "./limits.ts";
import { createSessions, type Sessions, type Work } from "./sessions.ts";
import { Tickets } from "./tickets.ts";
import { checkAttach, checkExec, checkPortForward } from "./validate.ts";

export interface StreamingServerOptions {
  /** IP address to listen on; "" is all addresses. */
  readonly address: string;
  /** 0 lets the kernel choose. */
  readonly port: number;
  readonly tls?: TlsOptions;
  readonly backend: StreamingBackend;
  readonly log: Logger;
  /** Without a byte either way for this long a connection is closed. Default four hours; 0: never. */
  readonly idleTimeoutMs?: number;
  /** How long a SPDY client may take to open the streams it asked for. Default 30 s. */
  readonly creationTimeoutMs?: number;
  /** URLs that may wait for their client at once. Default 1000. */
  readonly maxWaiting?: number;
  /** How long a URL is good. Default one minute. */
  readonly tokenTtlMs?: number;
  /** Clients that may be served at once; more are answered 429 and may come again. Default 2000. */
  readonly maxSessions?: number;
  /** How often a client is asked whether it is there while nothing is read from it. Default 10 s. */
  readonly probeMs?: number;
}

/**
 * Exec, attach and port-forward over HTTP. Each `…Url` keeps a request and returns the URL under which a client gets it
 * served, once and within a minute. They throw Fault("invalid") with the kubelet's words for a request that cannot be
 * served, Fault("exhausted") while too many wait, and Fault("unavailable") unless the server runs.
 */
export interface StreamingServer {
  /** Listens. Rejects with a Fault when it cannot, or when the certificates cannot be used. */
  start(): Promise<void>;
  /** Takes no more clients, ends the sessions and waits for them a few seconds. */
  stop(): Promise<void>;
  /** `http://127.0.0.1:40123`, with the port that it got. */
  readonly baseUrl: string;
  execUrl(request: ExecRequest): string;
  attachUrl(request: AttachRequest): string;
  portForwardUrl(request: PortForwardRequest): string;
}

const fourHoursMs = 4 * 60 * 60 * 1000;
const keepAliveMs = 15_000;
const stopGraceMs = 5_000;

export function createStreamingServer(options: StreamingServerOptions): StreamingServer {
  return new HttpStreamingServer(options);
}

class HttpStreamingServer implements StreamingServer {
  readonly #options: StreamingServerOptions;
  readonly #tickets: Tickets<Work>;
  readonly #stopping = new AbortController();
  readonly #sessions: Sessions;
  readonly #sockets = new Set<Socket>();
  #server: Server | HttpsServer | undefined;
  #baseUrl: string | undefined;

  constructor(options: StreamingServerOptions) {
    this.#options = options;
    this.#tickets = new Tickets({
      maxWaiting: options.maxWaiting ?? 1000,
      maxBytes: limits.waitingBytes,
      ttlMs: options.tokenTtlMs ?? 60_000,
      now: () => performance.now(),
    });
    this.#sessions = createSessions({
      backend: options.backend,
      log: options.log,
      idleTimeoutMs: options.idleTimeoutMs ?? fourHoursMs,
      creationTimeoutMs: options.creationTimeoutMs ?? 30_000,
      probeMs: options.probeMs ?? limits.probeMs,
      signal: this.#stopping.signal,
    });
  }

  get baseUrl(): string {
    if (this.#baseUrl === undefined) throw new Fault("unavailable", "the streaming server does not run");
    return this.#baseUrl;
  }

  execUrl(request: ExecRequest): string {
    checkExec(request);
    const bytes = request.command.reduce((sum, word) => sum + Buffer.byteLength(word), 0);
    return this.#issue({ is: "exec", request }, bytes);
  }

  attachUrl(request: AttachRequest): string {
    checkAttach(request);
    return this.#issue({ is: "attach", request }, 0);
  }

  portForwardUrl(request: PortForwardRequest): string {
    checkPortForward(request);
    return this.#issue({ is: "portforward", request }, 0);
  }

  async start(): Promise<void> {
    const { address, port, tls, log } = this.#options;
    const httpOptions = {
      headersTimeout: limits.requestHeadMs,
      requestTimeout: limits.requestHeadMs,
      connectionsCheckingInterval: limits.requestHeadMs,
      noDelay: true,
    };
    if (tls === undefined) {
      this.#server = createHttpServer(httpOptions);
    } else {
      const clientCheck = tls.clientCaFile === undefined ? {} : { requestCert: true, rejectUnauthorized: true };
      const server = createHttpsServer({
        ...httpOptions,
        ...(await loadTls(tls)),
        ...clientCheck,
        handshakeTimeout: limits.requestHeadMs,
      });
      watchTls(server, tls, { signal: this.#stopping.signal, log });
      this.#server = server;
    }
    const server = this.#server;
    server.maxConnections = limits.sockets;
    server.on("connection", (socket: Socket) => this.#acceptSocket(socket));
    server.on("upgrade", (request, socket, head) => void this.#acceptUpgrade(request, socket, head));
    server.on("request", (request, response) => {
      const { status, text, headers = {} } = this.#refusalOf(request);
      response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8", ...headers, Connection: "close" });
      response.end(`${text}\n`);
    });
    server.on("clientError", (_error, socket) => socket.destroy());
    const host = address === "" ? undefined : address;
    try {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen({ port, ...(host === undefined ? {} : { host }) }, resolve);
      });
    } catch (error) {
      throw withStep(`listening on ${address}:${port} for exec, attach and port-forward`, error);
    }
    server.on("error", (error) => log.warn("streaming server cannot accept a connection", { error }));
    this.#baseUrl = baseUrlOf(server, tls !== undefined);
    log.info("streaming server listens", { url: this.#baseUrl });
  }

  async stop(): Promise<void> {
    this.#baseUrl = undefined;
    this.#stopping.abort(new Fault("cancelled", "the streaming server stops"));
    const server = this.#server;
    if (server === undefined) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    const timer = setTimeout(() => this.#cut(), stopGraceMs);
    await this.#sessions.ended(stopGraceMs);
    clearTimeout(timer);
    this.#cut();
    await closed;
  }

  #cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #issue(work: Work, bytes: number): string {
    const base = this.baseUrl;
    return `${base}/${work.is}/${this.#tickets.issue(work, bytes)}`;
  }

  #acceptSocket(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    // A host that vanished does not say goodbye.
    socket.setKeepAlive(true, keepAliveMs);
  }

  async #acceptUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on("error", () => {}); // whoever serves it reads it, and is told
    const work = this.#redeem(request);
    if ("status" in work) refuse(socket, work);
    else await this.#sessions.serve(work, { request, socket, head });
  }

  /** The answer to a request that does not ask for an upgrade: there is nothing else here. Its URL is used up by it. */
  #refusalOf(request: IncomingMessage): Refusal {
    const work = this.#redeem(request);
    if ("status" in work) return work;
    return { status: 400, text: "unable to upgrade: missing upgrade headers in request" };
  }

  #redeem({ url = "", method = "" }: IncomingMessage): Work | Refusal {
    const notFound = { status: 404, text: "404 page not found" } as const;
    const [, kind, token] = /^\/(exec|attach|portforward)\/([A-Za-z0-9_-]{8})(?:\?|$)/.exec(url) ?? [];
    if (kind === undefined || token === undefined) return notFound;
    if (method !== "GET" && method !== "POST") {
      return { status: 405, text: "405: Method Not Allowed", headers: { Allow: "GET, POST" } };
    }
    if (this.#stopping.signal.aborted) return { status: 503, text: "the streaming server stops" };
    if (this.#sessions.count >= (this.#options.maxSessions ?? limits.sessions)) {
      return { status: 429, text: "too many sessions", headers: { "Retry-After": "60" } };
    }
    const work = this.#tickets.redeem(token);
    return work?.is === kind ? work : notFound;
  }
}

function baseUrlOf(server: Server | HttpsServer, isTls: boolean): string {
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new Fault("failed", "the streaming server got no address");
  const host = isIPv6(bound.address) ? `[${bound.address}]` : bound.address;
  return `${isTls ? "https" : "http"}://${host}:${bound.port}`;
}
