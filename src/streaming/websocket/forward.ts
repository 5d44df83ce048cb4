import { finished } from "node:stream/promises";
import type { WebSocket } from "ws";
import type { Logger } from "../../base/index.ts";
import type { StreamingBackend } from "../backend.ts";
import { forward } from "../forward.ts";
import type { Channel } from "./channel.ts";
import { ChannelConnection } from "./connection.ts";
import type { ChannelProtocol } from "./protocols.ts";

export interface WebSocketForwardOptions {
  readonly podId: string;
  readonly ports: readonly number[];
  readonly protocol: ChannelProtocol;
  readonly backend: StreamingBackend;
  readonly idleTimeoutMs: number;
  readonly probeMs: number;
  readonly signal: AbortSignal;
  readonly log: Logger;
}

/**
 * Forwards one connection for each port that was asked for: channel 2n carries the data of the n-th port and 2n + 1 its
 * error. Both begin with the port as 16 bits, little-endian. Resolves when the client has left and all are over.
 */
export async function serveWebSocketForward(socket: WebSocket, options: WebSocketForwardOptions): Promise<void> {
  const { podId, ports, protocol, backend, idleTimeoutMs, probeMs, log } = options;
  const connection = new ChannelConnection(socket, { protocol, channels: ports.length * 2, idleTimeoutMs, probeMs });
  const onStop = () => connection.close(options.signal.reason);
  options.signal.addEventListener("abort", onStop, { once: true });
  const { channels, signal } = connection;
  await Promise.all(
    ports.map(async (port, index) => {
      const [data, error] = [channels[index * 2], channels[index * 2 + 1]];
      if (data === undefined || error === undefined) return;
      for (const channel of [data, error]) channel.write(littleEndian(port));
      error.discardInput();
      const failure = await forward(backend, { request: { podId, port }, connection: data, signal, log });
      data.discardInput();
      await Promise.all([sendLast(data), sendLast(error, failure)]);
    }),
  );
  await connection.finish();
  options.signal.removeEventListener("abort", onStop);
}

async function sendLast(channel: Channel, text?: string): Promise<void> {
  if (channel.destroyed) return;
  channel.end(text);
  await finished(channel, { readable: false }).catch(() => {}); // a client that is gone needs no last word
}

function littleEndian(port: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(port);
  return bytes;
}
