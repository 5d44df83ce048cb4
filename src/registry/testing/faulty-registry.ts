import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { type Digest, digestOf, manifestMediaTypes } from "../../oci/index.ts";
import type { TestCertificate } from "./certificate.ts";

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export interface SeenRequest {
  readonly url: string;
  readonly method: string;
  readonly authorization: string | undefined;
  readonly range: string | undefined;
  readonly body: string;
}

interface Trap {
  readonly url: RegExp;
  times: number;
  readonly handler: Handler;
}

interface Content {
  readonly type: string;
  readonly bytes: Buffer;
}

export interface TestImage {
  readonly manifestDigest: Digest;
  readonly manifestBytes: Buffer;
  readonly configDigest: Digest;
  readonly layers: readonly { readonly digest: Digest; readonly size: number; readonly bytes: Buffer }[];
}

/** A registry on the loopback that serves what it is given, and misbehaves where a test sets a trap. */
export class FaultyRegistry implements AsyncDisposable {
  readonly seen: SeenRequest[] = [];
  /** Answer ranges with 206, as registries should. */
  servesRanges = true;
  /** Handles every request, when set. */
  override: Handler | undefined;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #content = new Map<string, Content>();
  readonly #traps: Trap[] = [];
  #waiters: { readonly url: RegExp; readonly found: () => void }[] = [];

  private constructor(server: Server) {
    this.#server = server;
    server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    server.on("request", (request, response) => this.#serve(request, response));
  }

  static async start(tls?: TestCertificate & { readonly clientCa?: string }, port = 0): Promise<FaultyRegistry> {
    const { clientCa } = tls ?? {};
    const verifyClients = clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true };
    const server = tls === undefined ? createHttpServer() : createHttpsServer({ ...tls, ...verifyClients });
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    return new FaultyRegistry(server);
  }

  /** `127.0.0.1:<port>` */
  get host(): string {
    const address = this.#server.address() as AddressInfo; // a TCP server that listens has one
    return `127.0.0.1:${address.port}`;
  }

  get openSockets(): number {
    return this.#sockets.size;
  }

  put(path: string, type: string, bytes: Buffer): void {
    this.#content.set(path, { type, bytes });
  }

  /** The next `times` requests whose URL matches are handled so; traps set first go first. */
  trap(url: RegExp, handler: Handler, times = 1): void {
    this.#traps.push({ url, times, handler });
  }

  /** Resolves when a request with such a URL arrives, or has arrived already. */
  async arrived(url: RegExp): Promise<void> {
    if (this.seen.some((request) => url.test(request.url))) return;
    await new Promise<void>((found) => this.#waiters.push({ url, found }));
  }

  countOf(url: RegExp): number {
    return this.seen.filter((request) => url.test(request.url)).length;
  }

  /** Serves an image under a tag and its digest. */
  putImage(repository: string, tag: string, layers: readonly Buffer[] = [Buffer.from("a layer")]): TestImage {
    const config = Buffer.from(
      JSON.stringify({
        architecture: "amd64",
        os: "linux",
        config: { Env: ["A=b"] },
        rootfs: { type: "layers", diff_ids: layers.map((bytes) => digestOf(bytes)) },
      }),
    );
    const descriptors = layers.map((bytes) => ({ digest: digestOf(bytes), size: bytes.byteLength }));
    const manifest = {
      schemaVersion: 2,
      mediaType: manifestMediaTypes.ociImage,
      config: {
        mediaType: "application/vnd.oci.image.config.v1+json",
        digest: digestOf(config),
        size: config.byteLength,
      },
      layers: descriptors.map((layer) => ({ mediaType: "application/vnd.oci.image.layer.v1.tar", ...layer })),
    };
    for (const bytes of [config, ...layers]) this.putBlob(repository, bytes);
    const manifestBytes = Buffer.from(JSON.stringify(manifest));
    return {
      manifestDigest: this.putManifest(repository, tag, manifestMediaTypes.ociImage, manifestBytes),
      manifestBytes,
      configDigest: digestOf(config),
      layers: layers.map((bytes) => ({ digest: digestOf(bytes), size: bytes.byteLength, bytes })),
    };
  }

  putBlob(repository: string, bytes: Buffer): Digest {
    const digest = digestOf(bytes);
    this.put(`/v2/${repository}/blobs/${digest}`, "application/octet-stream", bytes);
    return digest;
  }

  putManifest(repository: string, tag: string, type: string, bytes: Buffer): Digest {
    const digest = digestOf(bytes);
    for (const name of [tag, digest]) this.put(`/v2/${repository}/manifests/${name}`, type, bytes);
    return digest;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** What the registry does when no trap is set. */
  answer(request: IncomingMessage, response: ServerResponse): void {
    const content = this.#content.get(request.url?.split("?", 1)[0] ?? "");
    if (content === undefined) {
      const code = /\/blobs\//.test(request.url ?? "") ? "BLOB_UNKNOWN" : "MANIFEST_UNKNOWN";
      sendError(response, 404, code, code.toLowerCase().replace("_", " "));
      return;
    }
    const { type, bytes } = content;
    const start = Number(/^bytes=([0-9]+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const isPartial = start > 0 && this.servesRanges;
    const part = isPartial ? bytes.subarray(start) : bytes;
    response.writeHead(isPartial ? 206 : 200, {
      "content-type": type,
      "content-length": part.byteLength,
      ...(isPartial && { "content-range": `bytes ${start}-${bytes.byteLength - 1}/${bytes.byteLength}` }),
    });
    response.end(part);
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { url = "", method = "", headers } = request;
      const { authorization, range } = headers;
      this.seen.push({ url, method, authorization, range, body: Buffer.concat(chunks).toString() });
      for (const waiter of this.#waiters) if (waiter.url.test(url)) waiter.found();
      if (this.override !== undefined) {
        this.override(request, response);
        return;
      }
      const trap = this.#traps.find((candidate) => candidate.times > 0 && candidate.url.test(url));
      if (trap === undefined) {
        this.answer(request, response);
        return;
      }
      trap.times--;
      trap.handler(request, response);
    });
  }
}

/** An error document of the distribution specification. */
export function sendError(
  response: ServerResponse,
  status: number,
  code: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify({ errors: [{ code, message }] }));
}

/** Announces the whole body, sends `count` bytes of it and resets the connection. */
export function resetAfter(bytes: Buffer, count: number): Handler {
  return (request, response) => {
    response.writeHead(200, { "content-length": bytes.byteLength });
    response.write(bytes.subarray(0, count), () => setImmediate(() => request.socket.resetAndDestroy()));
  };
}

/** Announces the whole body, sends `count` bytes of it and says no more. */
export function stallAfter(bytes: Buffer, count: number): Handler {
  return (_request, response) => {
    response.writeHead(200, { "content-length": bytes.byteLength });
    response.write(bytes.subarray(0, count));
  };
}
