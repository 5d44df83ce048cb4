import { chmod, mkdir } from "node:fs/promises";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import { createServer, type Server as NetServer, type Socket } from "node:net";
import { dirname } from "node:path";
import { type ConnectionInjector, Server, ServerCredentials } from "@grpc/grpc-js";
import type { Logger, Operations } from "../base/index.ts";
import { clearStaleSocket } from "../host/index.ts";
import type { TraceSource } from "../observe/index.ts";
import { ImageServiceDefinition, RuntimeServiceDefinition } from "./generated/api.ts";
import { bindService, type CallReport, type Handlers } from "./service.ts";

export interface CriServerOptions {
  /** Path of the unix socket (`listen`). */
  readonly path: string;
  readonly maxSendBytes: number;
  readonly maxReceiveBytes: number;
  readonly runtime: Handlers<typeof RuntimeServiceDefinition>;
  readonly image: Handlers<typeof ImageServiceDefinition>;
  /** Answers HTTP/1 requests on the same socket. */
  readonly http: RequestListener;
  readonly log: Logger;
  readonly operations: Operations;
  readonly traceOf?: TraceSource;
  readonly onCall?: (report: CallReport) => void;
}

const socketMode = 0o660;
const httpReadTimeoutMs = 5_000;
const firstBytesTimeoutMs = 5_000;
const shutdownGraceMs = 5_000;

/**
 * The daemon's one socket: gRPC for CRI and HTTP/1 for the inspect endpoints, told apart by the first bytes of a connection.
 * `start` rejects when another daemon answers on the path, and replaces a socket that nobody answers on.
 */
export class CriServer {
  readonly #options: CriServerOptions;
  readonly #grpc: Server;
  readonly #injector: ConnectionInjector;
  readonly #http = createHttpServer({ headersTimeout: httpReadTimeoutMs, requestTimeout: httpReadTimeoutMs });
  readonly #listener: NetServer;
  readonly #sockets = new Set<Socket>();

  constructor(options: CriServerOptions) {
    this.#options = options;
    this.#grpc = new Server({
      "grpc.max_send_message_length": options.maxSendBytes,
      "grpc.max_receive_message_length": options.maxReceiveBytes,
    });
    const { log, operations, traceOf, onCall } = options;
    const service = { log, operations, ...(traceOf && { traceOf }), ...(onCall && { onCall }) };
    const runtime = bindService(RuntimeServiceDefinition, options.runtime, service);
    this.#grpc.addService(runtime.definition, runtime.implementation);
    const image = bindService(ImageServiceDefinition, options.image, service);
    this.#grpc.addService(image.definition, image.implementation);
    this.#injector = this.#grpc.createConnectionInjector(ServerCredentials.createInsecure());
    this.#http.on("request", options.http);
    this.#listener = createServer({ pauseOnConnect: false }, (socket) => this.#accept(socket));
  }

  async start(): Promise<void> {
    const { path } = this.#options;
    await mkdir(dirname(path), { recursive: true, mode: 0o755 });
    await clearStaleSocket(path);
    // Created without any rights, so that nobody gets in between bind and chmod.
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#listener.once("error", reject);
    const umask = process.umask(0o777);
    try {
      this.#listener.listen(path, resolve); // binds before it returns
    } finally {
      process.umask(umask);
    }
    await promise;
    this.#listener.removeListener("error", reject);
    this.#listener.on("error", (error) =>
      this.#options.log.error("the CRI socket has trouble", { error: error.message }),
    );
    await chmod(path, socketMode);
  }

  /** Takes no new calls, lets those under way end for a few seconds, then cuts them off. */
  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#listener.close(() => resolve()));
    this.#injector.drain(shutdownGraceMs);
    this.#http.close();
    const timer = setTimeout(() => this.#cut(), shutdownGraceMs);
    timer.unref();
    await new Promise<void>((resolve) => {
      this.#grpc.tryShutdown(() => resolve());
      setTimeout(resolve, shutdownGraceMs).unref();
    });
    clearTimeout(timer);
    this.#cut();
    this.#injector.destroy();
    await closed;
  }

  #cut(): void {
    this.#grpc.forceShutdown();
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    const onEarlyError = () => socket.destroy();
    socket.once("error", onEarlyError);
    socket.setTimeout(firstBytesTimeoutMs, () => socket.destroy());
    socket.once("readable", () => {
      const first: Buffer | null = socket.read();
      if (first === null) {
        socket.destroy();
        return;
      }
      socket.setTimeout(0);
      socket.removeAllListeners("timeout");
      socket.removeListener("error", onEarlyError);
      socket.unshift(first);
      // The preface of HTTP/2 (RFC 9113, 3.4) begins with a method that HTTP/1 does not have.
      if (first.subarray(0, 3).toString("latin1") === "PRI") this.#injector.injectConnection(socket);
      else this.#http.emit("connection", socket);
    });
  }
}
