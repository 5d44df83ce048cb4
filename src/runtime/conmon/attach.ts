import { join } from "node:path";
import { connectPackets, type PacketConnection } from "../../host/index.ts";

const connectTimeoutMs = 10_000;
/** What conmon reads of one packet at most. */
const maxPacketBytes = 8192;

/** A piece of a container's output. */
export interface AttachFrame {
  readonly stream: "stdout" | "stderr";
  readonly data: Buffer;
}

/** A connection to a container's standard streams by way of its monitor. */
export interface Attachment extends AsyncDisposable {
  /** Output from now on; ends when the container does. */
  readonly output: AsyncIterable<AttachFrame>;
  /** Writes to the container's standard input. */
  write(data: Uint8Array): Promise<void>;
  /** No more input: closes the container's, unless its monitor was told to leave it open. */
  finishInput(): void;
}

/** Attaches to a container through its monitor's socket. Rejects when the monitor does not listen. */
export async function attachToConmon(attachDir: string, id: string, signal?: AbortSignal): Promise<Attachment> {
  const connection = await connectPackets(join(attachDir, id, "attach"), {
    maxPacketBytes,
    timeoutMs: connectTimeoutMs,
    ...(signal === undefined ? {} : { signal }),
  });
  return {
    output: framesOf(connection),
    write: (data) => connection.send(data),
    finishInput: () => connection.finishSending(),
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
}

/** A packet's first byte names the stream: 2 is stdout, 3 stderr. */
async function* framesOf(connection: PacketConnection): AsyncGenerator<AttachFrame, void, undefined> {
  for await (const packet of connection.packets) {
    if (packet.length > 1) yield { stream: packet[0] === 3 ? "stderr" : "stdout", data: packet.subarray(1) };
  }
}
