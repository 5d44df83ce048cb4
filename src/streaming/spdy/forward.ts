import type { Duplex } from "node:stream";
import { finished } from "node:stream/promises";
import { Fault, type Logger } from "../../base/index.ts";
import type { StreamingBackend } from "../backend.ts";
import { forward } from "../forward.ts";
import { limits } from "../limits.ts";
import { SpdyConnection } from "./connection.ts";
import type { SpdyStream } from "./stream.ts";

export const spdyForwardProtocol = "portforward.k8s.io";

export interface SpdyForwardOptions {
  readonly podId: string;
  readonly backend: StreamingBackend;
  readonly idleTimeoutMs: number;
  readonly probeMs: number;
  /** How long the second stream of a pair may take to come. */
  readonly creationTimeoutMs: number;
  readonly signal: AbortSignal;
  readonly log: Logger;
}

/** The two streams of a forwarded connection. */
interface Pair {
  data?: SpdyStream;
  error?: SpdyStream;
  readonly timer: NodeJS.Timeout;
}

/**
 * Serves a client that forwards ports: each connection is a pair of streams with the same `requestID`, of the types `error`
 * and `data`, whose header `port` says where to. Resolves when the client has left and all connections are over.
 */
export async function serveSpdyForward(io: Duplex, options: SpdyForwardOptions): Promise<void> {
  const incomplete = new Map<string, Pair>();
  const running = new Set<Promise<void>>();

  const connection = new SpdyConnection(io, {
    idleTimeoutMs: options.idleTimeoutMs,
    probeMs: options.probeMs,
    maxStreams: limits.forwardStreams,
    onStream: (stream) => {
      const [type, port] = [streamTypeOf(stream), portOf(stream)];
      const id = requestIdOf(stream, type);
      const pair = incomplete.get(id) ?? newPair(id);
      if (pair[type] !== undefined) {
        throw new Fault("exists", `error processing stream for request ${id}: ${type} stream already assigned`);
      }
      pair[type] = stream;
      if (type === "error") stream.discardInput();
      const { data, error } = pair;
      if (data === undefined || error === undefined) return;
      forget(id, pair);
      const work = serve(data, error, port).finally(() => running.delete(work));
      running.add(work);
    },
  });

  function newPair(id: string): Pair {
    // A connection that the client cut off counts for as long as the backend is busy with it.
    if (running.size + incomplete.size >= limits.forwardStreams / 2) {
      throw new Fault("exhausted", `${running.size} connections are forwarded already`);
    }
    const timer = setTimeout(() => {
      forget(id, pair);
      pair.error?.end(`timed out waiting for streams of request ${id}`);
      pair.data?.destroy();
    }, options.creationTimeoutMs).unref();
    const pair: Pair = { timer };
    incomplete.set(id, pair);
    return pair;
  }

  function forget(id: string, pair: Pair): void {
    clearTimeout(pair.timer);
    incomplete.delete(id);
  }

  async function serve(data: SpdyStream, error: SpdyStream, port: number): Promise<void> {
    await Promise.resolve(); // the client is told first that its stream was accepted
    const { podId, backend, log } = options;
    const failure = await forward(backend, {
      request: { podId, port },
      connection: data,
      signal: connection.signal,
      log,
    });
    error.end(failure);
    if (failure !== undefined) data.destroy();
    await Promise.all([endGently(data), endGently(error)]);
  }

  const onStop = () => connection.close(options.signal.reason);
  options.signal.addEventListener("abort", onStop, { once: true });
  const reason = await connection.over;
  options.signal.removeEventListener("abort", onStop);
  for (const [id, pair] of incomplete) forget(id, pair);
  options.log.debug("port-forward client left", { pod: options.podId, reason: reason.message });
  await Promise.all(running);
}

/** Ends our side after all that was written, and gives the client a while to end its own, which nobody reads any more. */
async function endGently(stream: SpdyStream): Promise<void> {
  stream.discardInput();
  stream.end();
  await finished(stream, { readable: false }).catch(() => {});
  const timer = setTimeout(() => stream.destroy(), limits.lingerMs).unref();
  await finished(stream).catch(() => {});
  clearTimeout(timer);
}

function streamTypeOf(stream: SpdyStream): "data" | "error" {
  const type = stream.headers.get("streamtype") ?? "";
  if (type === "data" || type === "error") return type;
  throw new Fault("invalid", `invalid stream type ${JSON.stringify(type)}`);
}

function portOf(stream: SpdyStream): number {
  const text = stream.headers.get("port") ?? "";
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535) throw new Fault("invalid", `unable to parse ${JSON.stringify(text)} as a port`);
  return port;
}

/** Clients before Kubernetes 1.2 send no id: their two streams follow each other, the error stream first. */
function requestIdOf(stream: SpdyStream, type: "data" | "error"): string {
  const id = stream.headers.get("requestid") ?? "";
  if (id !== "") return id;
  return `stream ${type === "error" ? stream.id : stream.id - 2}`;
}
