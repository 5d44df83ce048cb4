import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { errorAnswer, send } from "./answer.ts";
import { Authority, type AuthRule } from "./auth.ts";
import { answerControl, controlPath } from "./control.ts";
import { type FaultRule, FaultRules } from "./faults.ts";
import { answerRegistry, type Routes } from "./routes.ts";
import { RegistryStore } from "./store.ts";

/** A request that was answered. */
export interface SeenRequest {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly status: number;
  readonly secure: boolean;
}

export interface Listener {
  readonly host: string;
  /** 0: the kernel picks. */
  readonly port: number;
  /** PEM texts; without them it is plain HTTP. */
  readonly tls?: { readonly certificate: string; readonly key: string };
}

export interface RegistryOptions {
  readonly listeners: readonly Listener[];
  /** OCI image layout to serve; see fixtures/. */
  readonly folder?: string;
}

const seenLimit = 10_000;

/** A running registry: stops with `await using`. */
export interface Registry extends AsyncDisposable {
  /** `host:port` of each listener, in order. */
  readonly addresses: readonly string[];
  readonly store: RegistryStore;
  /** Replaces the fault rules; `[]` heals everything. */
  setFaults(rules: readonly FaultRule[]): void;
  /** Replaces the rules of who may read what; `[]` opens everything. */
  setAuth(rules: readonly AuthRule[]): void;
  /** The requests answered since the last call, the last 10000 at most. */
  takeRequests(): SeenRequest[];
}

/** Starts a registry on loopback. All listeners serve the same images, whatever name they are asked by. */
export async function startRegistry({ listeners, folder }: RegistryOptions): Promise<Registry> {
  const store = await RegistryStore.open(folder);
  const authority = new Authority();
  const faults = new FaultRules();
  const routes: Routes = { store, authority, uploads: new Map() };
  const seen: SeenRequest[] = [];
  const controls = {
    setFaults: (rules: readonly FaultRule[]) => faults.set(rules),
    setAuth: (rules: readonly AuthRule[]) => authority.set(rules),
    takeRequests: () => seen.splice(0),
  };
  const handle: Handler = async (request, response, { secure, reset }) => {
    const { method = "GET", headers } = request;
    const url = new URL(request.url ?? "/", `${secure ? "https" : "http"}://${headers.host ?? "localhost"}`);
    if (url.pathname.startsWith(controlPath))
      return send(response, await answerControl(controls, request, url), { head: false, reset });
    const line = { method, host: headers.host ?? "", path: url.pathname };
    const answer = await answerRegistry(routes, request, url);
    const fault = faults.next(line);
    if (seen.length < seenLimit)
      seen.push({ ...line, status: fault?.is === "status" ? fault.status : answer.status, secure });
    await send(response, answer, { fault, head: method === "HEAD", reset });
  };
  const servers = await Promise.all(listeners.map((listener) => listen(listener, handle)));
  return {
    addresses: servers.map(addressOf),
    store,
    ...controls,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(servers.map(close));
    },
  };
}

type Handler = (request: IncomingMessage, response: ServerResponse, connection: Connection) => Promise<void>;

interface Connection {
  readonly secure: boolean;
  readonly reset: () => void;
}

function listen({ host, port, tls }: Listener, handle: Handler): Promise<Server> {
  // A TLS socket cannot be reset, but the TCP socket below it, which has the same port.
  const sockets = new Map<number | undefined, Socket>();
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    const reset = () => sockets.get(request.socket.remotePort)?.resetAndDestroy();
    handle(request, response, { secure: tls !== undefined, reset }).catch((error) => {
      if (!response.headersSent)
        void send(response, errorAnswer(500, "UNKNOWN", String(error)), { head: false, reset });
    });
  };
  const server =
    tls === undefined ? createServer(onRequest) : createTlsServer({ cert: tls.certificate, key: tls.key }, onRequest);
  server.on("connection", (socket) => {
    const { remotePort } = socket;
    sockets.set(remotePort, socket);
    socket.once("close", () => sockets.delete(remotePort));
  });
  return new Promise((resolve, reject) => {
    server.once("error", (error) =>
      reject(new Error(`the registry cannot listen on ${host}:${port}: ${error.message}`)),
    );
    server.listen(port, host, () => resolve(server));
  });
}

function addressOf(server: Server): string {
  const { address, port } = server.address() as AddressInfo; // it listens on TCP
  return `${address}:${port}`;
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
