import type { Duplex } from "node:stream";
import { Fault, type Logger, reasonOf } from "../base/index.ts";
import type { ForwardRequest, StreamingBackend } from "./backend.ts";

export interface Forwarding {
  readonly request: ForwardRequest;
  readonly connection: Duplex;
  /** Aborts when the client's whole connection is over. */
  readonly signal: AbortSignal;
  readonly log: Logger;
}

/**
 * Hands one connection to the backend. Resolves when it is over, with the sentence for the client's error stream when it
 * failed, as the kubelet words it.
 */
export async function forward(backend: StreamingBackend, forwarding: Forwarding): Promise<string | undefined> {
  const { request, connection, log } = forwarding;
  const left = new AbortController();
  const leave = () => left.abort(forwarding.signal.reason);
  const onClose = () => {
    const hadAll = connection.errored === null && connection.readableEnded && connection.writableFinished;
    if (!hadAll) left.abort(connection.errored ?? new Fault("cancelled", "the client closed the connection"));
  };
  connection.once("close", onClose);
  forwarding.signal.addEventListener("abort", leave, { once: true });
  if (forwarding.signal.aborted) leave();
  else if (connection.destroyed) onClose();
  try {
    left.signal.throwIfAborted();
    await backend.portForward(request, connection, left.signal);
  } catch (error) {
    log.debug("forwarding failed", { pod: request.podId, port: request.port, error: reasonOf(error) });
    // A client that closed its connection itself is not to read that this went wrong.
    if (!left.signal.aborted) {
      return `error forwarding port ${request.port} to pod ${request.podId}, uid : ${reasonOf(error)}`;
    }
  } finally {
    connection.removeListener("close", onClose);
    forwarding.signal.removeEventListener("abort", leave);
  }
  return undefined;
}
