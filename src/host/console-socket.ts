import { constants, rmSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { deadline, errnoOf, Fault, reasonOf } from "../base/index.ts";
import { libc } from "./libc.ts";
import { checked, close, kernel } from "./syscalls.ts";
import { unixSocket, withUnixAddress } from "./unix-socket.ts";

const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_CMSG_CLOEXEC = 0x4000_0000;
// The runtime needs some ten milliseconds until it has a terminal to send.
const shortestWaitMs = 1;
const longestWaitMs = 20;

/**
 * The socket over which an OCI runtime (`--console-socket`) hands us the master of the terminal it made. For one
 * terminal.
 */
export interface ConsoleSocket extends Disposable {
  readonly path: string;
  /** The master's descriptor, which the caller closes (`terminalOf` does). Rejects with Fault("deadline"), Fault("corrupt") … */
  receive(options: { readonly timeoutMs: number; readonly signal?: AbortSignal }): Promise<number>;
  /** Closes and removes the socket. Idempotent. */
  close(): void;
}

/** Listens at `path`, which must not exist, and which only we may connect to. */
export function listenForConsole(path: string): ConsoleSocket {
  const fd = unixSocket("stream");
  try {
    withUnixAddress(path, (address) => checked(libc().bind(fd, address, address.length), "bind", path));
    checked(libc().chmod(path, 0o600), "chmod", path);
    checked(libc().listen(fd, 1), "listen", path);
  } catch (error) {
    close(fd);
    throw new Fault("failed", `listening for a terminal at ${path}: ${reasonOf(error)}`, { cause: error });
  }
  let open = true;
  const closeOnce = () => {
    if (!open) return;
    open = false;
    close(fd);
    rmSync(path, { force: true });
  };
  return {
    path,
    async receive(options) {
      using patience = deadline(options.timeoutMs, `waiting for a terminal at ${path}`, options.signal);
      const connection = await tried(
        () => accepted(fd),
        patience,
        () => open,
      );
      try {
        return await tried(
          () => receivedDescriptor(connection),
          patience,
          () => open,
        );
      } finally {
        close(connection);
      }
    },
    close: closeOnce,
    [Symbol.dispose]: closeOnce,
  };
}

/** Again and again until it does not say EAGAIN: a thread of the pool must not be parked in accept or recvmsg. */
async function tried(attempt: () => number, signal: AbortSignal, isOpen: () => boolean): Promise<number> {
  for (let waitMs = shortestWaitMs; ; waitMs = Math.min(waitMs * 2, longestWaitMs)) {
    signal.throwIfAborted();
    if (!isOpen()) throw new Fault("cancelled", "waiting for a terminal: the socket was closed");
    try {
      return attempt();
    } catch (error) {
      if (errnoOf(error) !== "EAGAIN") throw error;
      await delay(waitMs);
    }
  }
}

function accepted(fd: number): number {
  return checked(libc().accept4(fd, null, null, kernel.O_CLOEXEC | constants.O_NONBLOCK), "accept4");
}

/** One message with one descriptor; what it says beside that is the terminal's name and does not matter. */
function receivedDescriptor(connection: number): number {
  const data = Buffer.alloc(4096);
  const control = Buffer.alloc(64);
  const iovec = words(libc().addressOf(data), BigInt(data.length));
  // struct msghdr: name and its length, iovec and count, control and its length, flags
  const message = words(0n, 0n, libc().addressOf(iovec), 1n, libc().addressOf(control), BigInt(control.length), 0n);
  const size = checked(libc().recvmsg(connection, message, MSG_CMSG_CLOEXEC), "recvmsg");
  const [fd, ...more] = descriptorsIn(control.subarray(0, Number(message.readBigUInt64LE(40))));
  for (const extra of more) close(extra);
  if (fd !== undefined) return fd;
  const what = size === 0 ? "the runtime hung up" : "the runtime's message had no descriptor";
  throw new Fault("corrupt", `receiving a terminal: ${what}`);
}

/** struct cmsghdr: length (of 8 bytes), level, type, then the descriptors. */
function descriptorsIn(control: Buffer): readonly number[] {
  if (control.length < 16) return [];
  const length = Math.min(Number(control.readBigUInt64LE(0)), control.length);
  if (control.readInt32LE(8) !== SOL_SOCKET || control.readInt32LE(12) !== SCM_RIGHTS) return [];
  return Array.from({ length: Math.floor((length - 16) / 4) }, (_, index) => control.readInt32LE(16 + 4 * index));
}

function words(...values: readonly bigint[]): Buffer {
  const buffer = Buffer.alloc(8 * values.length);
  for (const [index, value] of values.entries()) buffer.writeBigUInt64LE(value, 8 * index);
  return buffer;
}
