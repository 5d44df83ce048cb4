import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { limits } from "../limits.ts";

/** Turns requests into WebSocket connections. */
export interface WebSocketUpgrader {
  /** Answers a request with the subprotocol, "" for none; undefined when the request was no proper one and was refused. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, protocol: string): Promise<WebSocket | undefined>;
}

export function createWebSocketUpgrader(): WebSocketUpgrader {
  const chosen = new WeakMap<IncomingMessage, string>();
  const options = {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    autoPong: false,
    allowSynchronousEvents: false, // one message in a turn of the event loop: a flood of them holds nobody else up
    maxPayload: limits.webSocketMessageBytes,
    maxFragments: 4096,
    maxBufferedChunks: 32_768,
    closeTimeout: limits.lingerMs,
  } as const;
  const server = new WebSocketServer(options);
  server.on("headers", (headers, request) => {
    const protocol = chosen.get(request) ?? "";
    if (protocol !== "") headers.push(`Sec-WebSocket-Protocol: ${protocol}`);
  });
  return {
    upgrade(request, socket, head, protocol) {
      chosen.set(request, protocol);
      // The library refuses names that are no tokens of RFC 9110, and "SPDY/3.1+portforward.k8s.io" is none.
      delete request.headers["sec-websocket-protocol"];
      const { promise, resolve } = Promise.withResolvers<WebSocket | undefined>();
      // It answers a bad handshake itself and ends the socket.
      socket.once("close", () => resolve(undefined));
      server.handleUpgrade(request, socket, head, resolve);
      return promise;
    },
  };
}
