import type { Duplex, Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { Fault } from "../../base/index.ts";
import type { StreamSelection } from "../backend.ts";
import type { CommandChannels } from "../command-channels.ts";
import { limits } from "../limits.ts";
import { SpdyConnection } from "./connection.ts";
import type { SpdyStream } from "./stream.ts";

/** Versions of remotecommand over SPDY, best first. Without a header a client means the first one, which has no number. */
export const spdyCommandProtocols = [
  "v4.channel.k8s.io",
  "v3.channel.k8s.io",
  "v2.channel.k8s.io",
  "channel.k8s.io",
] as const;
export type SpdyCommandProtocol = (typeof spdyCommandProtocols)[number];

export interface SpdyCommandOptions {
  readonly protocol: SpdyCommandProtocol;
  readonly selection: StreamSelection;
  readonly idleTimeoutMs: number;
  readonly probeMs: number;
  /** How long the client may take to open its streams. */
  readonly creationTimeoutMs: number;
  readonly signal: AbortSignal;
}

type StreamType = "error" | "stdin" | "stdout" | "stderr" | "resize";

/**
 * Waits until the client has opened the streams that were asked for, each named by its header `streamType`.
 * Streams that were not asked for are taken and ignored. Rejects with a Fault when they do not come in time.
 */
export async function openSpdyCommand(io: Duplex, options: SpdyCommandOptions): Promise<CommandChannels> {
  const { protocol, selection } = options;
  const missing = new Set<StreamType>(["error"]);
  for (const type of ["stdin", "stdout", "stderr"] as const) if (selection[type]) missing.add(type);
  if (selection.tty && hasResize(protocol)) missing.add("resize");
  const wanted = new Set(missing);
  const streams = new Map<StreamType, SpdyStream>();
  const complete = Promise.withResolvers<void>();
  const connection = new SpdyConnection(io, {
    idleTimeoutMs: options.idleTimeoutMs,
    probeMs: options.probeMs,
    maxStreams: limits.commandStreams,
    onStream: (stream) => {
      const type = streamTypeOf(stream);
      if (streams.has(type)) throw new Fault("exists", `a second stream ${type}`);
      streams.set(type, stream);
      if (type !== "stdin" && type !== "resize") stream.discardInput();
      else if (!wanted.has(type)) stream.discardInput();
      missing.delete(type);
      if (missing.size === 0) complete.resolve();
    },
  });
  const onStop = () => connection.close(options.signal.reason);
  options.signal.addEventListener("abort", onStop, { once: true });
  void connection.over.then((reason) => {
    options.signal.removeEventListener("abort", onStop);
    complete.reject(reason);
  });
  const timer = setTimeout(() => {
    connection.close(new Fault("deadline", "timed out waiting for client to create streams"));
  }, options.creationTimeoutMs);
  try {
    await complete.promise;
  } finally {
    clearTimeout(timer);
  }
  const stream = (type: StreamType) => (wanted.has(type) ? streams.get(type) : undefined);
  return {
    stdin: stream("stdin"),
    stdout: stream("stdout"),
    stderr: stream("stderr"),
    resize: stream("resize"),
    statusFormat: protocol === "v4.channel.k8s.io" ? "json" : "text",
    signal: connection.signal,
    async conclude(status) {
      for (const type of ["stdin", "resize"] as const) streams.get(type)?.destroy();
      await sendLast(streams.get("error"), status);
      for (const each of streams.values()) each.end();
      await connection.finish();
    },
  };
}

/** The first two versions of the protocol know no terminal sizes. */
function hasResize(protocol: SpdyCommandProtocol): boolean {
  return protocol === "v4.channel.k8s.io" || protocol === "v3.channel.k8s.io";
}

function streamTypeOf(stream: SpdyStream): StreamType {
  const type = stream.headers.get("streamtype");
  switch (type) {
    case "error":
    case "stdin":
    case "stdout":
    case "stderr":
    case "resize":
      return type;
    default:
      throw new Fault("invalid", `unexpected stream type: ${JSON.stringify(type ?? "")}`);
  }
}

async function sendLast(stream: Writable | undefined, text: string): Promise<void> {
  if (stream === undefined || stream.destroyed) return;
  stream.end(text);
  await finished(stream, { readable: false }).catch(() => {}); // a client that is gone needs no last word
}
