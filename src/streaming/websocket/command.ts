import { finished } from "node:stream/promises";
import type { WebSocket } from "ws";
import type { StreamSelection } from "../backend.ts";
import type { CommandChannels } from "../command-channels.ts";
import type { Channel } from "./channel.ts";
import { ChannelConnection } from "./connection.ts";
import type { ChannelProtocol } from "./protocols.ts";

export interface WebSocketCommandOptions {
  readonly protocol: ChannelProtocol;
  readonly selection: StreamSelection;
  readonly idleTimeoutMs: number;
  readonly probeMs: number;
  readonly signal: AbortSignal;
}

/** The client's streams as channels: 0 stdin, 1 stdout, 2 stderr, 3 error, 4 resize. They are there at once. */
export function openWebSocketCommand(socket: WebSocket, options: WebSocketCommandOptions): CommandChannels {
  const { protocol, selection, idleTimeoutMs, probeMs } = options;
  const connection = new ChannelConnection(socket, { protocol, channels: 5, idleTimeoutMs, probeMs });
  const onStop = () => connection.close(options.signal.reason);
  options.signal.addEventListener("abort", onStop, { once: true });
  void connection.over.then(() => options.signal.removeEventListener("abort", onStop));
  const [stdin, stdout, stderr, error, resize] = connection.channels;
  for (const output of [stdout, stderr, error]) output?.discardInput();
  if (!selection.stdin) stdin?.discardInput();
  // Tells the client that the connection stands: an empty message on the lowest channel that it can read.
  const lowest = selection.stdout ? stdout : selection.stderr ? stderr : error;
  lowest?.write(Buffer.alloc(0));
  return {
    stdin: selection.stdin ? stdin : undefined,
    stdout: selection.stdout ? stdout : undefined,
    stderr: selection.stderr ? stderr : undefined,
    resize,
    statusFormat: protocol.statusFormat,
    signal: connection.signal,
    async conclude(status) {
      if (status !== "") await sendLast(error, status);
      await connection.finish();
    },
  };
}

async function sendLast(channel: Channel | undefined, text: string): Promise<void> {
  if (channel === undefined || channel.destroyed) return;
  channel.end(text);
  await finished(channel, { readable: false }).catch(() => {}); // a client that is gone needs no last word
}
