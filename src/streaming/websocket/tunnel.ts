import type { Duplex } from "node:stream";
import { createWebSocketStream, type WebSocket } from "ws";
import { limits } from "../limits.ts";

/** The bytes inside a WebSocket connection's binary messages, wherever those begin and end, as one stream. */
export function tunnelStream(socket: WebSocket): Duplex {
  socket.on("message", (_message, isBinary) => {
    if (!isBinary) socket.terminate();
  });
  socket.on("ping", (payload) => {
    if (socket.bufferedAmount < limits.unsentBytes) socket.pong(payload);
  });
  socket.on("error", () => {}); // the stream fails with it
  return createWebSocketStream(socket, { highWaterMark: limits.outboxBytes });
}
