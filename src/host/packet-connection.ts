import { Socket } from "node:net";
import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { deadline, errnoOf, Fault, reasonOf } from "../base/index.ts";
import { libc } from "./libc.ts";
import { socketPair } from "./spawn.ts";
import { checked, close } from "./syscalls.ts";
import { unixSocket, withUnixAddress } from "./unix-socket.ts";

const F_SETFD = 2;
const FD_CLOEXEC = 1;
const retryMs = 10;

/** A connection that keeps the boundaries of what is sent (SOCK_SEQPACKET), such as conmon's attach socket. */
export interface PacketConnection extends AsyncDisposable {
  /** The packets that come, each whole. Ends when the other side does; fails when the connection breaks. */
  readonly packets: AsyncIterable<Buffer>;
  /** Sends in packets of at most `maxPacketBytes`. Resolves when the kernel has taken all of it. One call at a time. */
  send(data: Uint8Array): Promise<void>;
  /** Nothing more will be sent: the other side reads an end. */
  finishSending(): void;
  close(): void;
}

export interface PacketConnectionOptions {
  /** What the other side reads at a time: a longer packet would lose its tail. conmon reads 8192 bytes. */
  readonly maxPacketBytes: number;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** Connects to the SOCK_SEQPACKET socket at `path`. Rejects with Fault("unavailable") when nobody listens there. */
export async function connectPackets(path: string, options: PacketConnectionOptions): Promise<PacketConnection> {
  using patience = deadline(options.timeoutMs, `connecting to ${path}`, options.signal);
  const fd = unixSocket("packets");
  try {
    await connect(fd, path, patience);
  } catch (error) {
    close(fd);
    if (error instanceof Fault) throw error;
    throw new Fault("unavailable", `connecting to ${path}: ${reasonOf(error)}`, { cause: error });
  }
  return connectionOver(asStream(fd), options.maxPacketBytes);
}

async function connect(fd: number, path: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    try {
      withUnixAddress(path, (address) => checked(libc().connect(fd, address, address.length), "connect", path));
      return;
    } catch (error) {
      if (errnoOf(error) !== "EAGAIN") throw error; // the listener's queue is full
      await delay(retryMs);
    }
  }
}

/**
 * Node takes no SEQPACKET socket, but it does not look twice: it is given a stream socket, whose descriptor is then made
 * to stand for the other one, in the same turn of the event loop and so before it has been registered anywhere.
 */
function asStream(packetFd: number): Socket {
  const [ours, other] = socketPair();
  close(other);
  const socket = new Socket({ fd: ours, readable: true, writable: true, allowHalfOpen: true });
  try {
    checked(libc().dup2(packetFd, ours), "dup2");
    checked(libc().fcntlNumber(ours, F_SETFD, FD_CLOEXEC), "fcntl F_SETFD");
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    close(packetFd);
  }
}

function connectionOver(socket: Socket, maxPacketBytes: number): PacketConnection {
  // Each `data` event is one read, and so one packet. Read in any other way, the stream would join them.
  const packets = new Readable({
    objectMode: true,
    highWaterMark: 16,
    read: () => void socket.resume(),
    autoDestroy: true,
  });
  socket.on("data", (packet) => {
    if (!packets.push(packet)) socket.pause();
  });
  socket.on("end", () => packets.push(null));
  socket.on("error", (error) => packets.destroy(error));
  socket.on("close", () => {
    if (!packets.readableEnded) packets.push(null);
  });
  packets.on("error", () => {}); // whoever iterates gets it
  const close = () => {
    socket.destroy();
    packets.destroy();
  };
  return {
    packets,
    async send(data) {
      for (let start = 0; start < data.length; start += maxPacketBytes) {
        await written(socket, data.subarray(start, start + maxPacketBytes)); // one at a time: queued writes are joined
      }
    },
    finishSending: () => void socket.end(),
    close,
    async [Symbol.asyncDispose]() {
      close();
    },
  };
}

function written(socket: Socket, packet: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.write(packet, (error) => (error ? reject(error) : resolve()));
  });
}
