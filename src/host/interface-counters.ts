import { closeSync, openSync, readSync } from "node:fs";
import { Fault } from "../base/index.ts";
import { libc } from "./libc.ts";
import { checked, close, kernel } from "./syscalls.ts";
import { SystemCallError } from "./system-call-error.ts";

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SIOCGIFFLAGS = 0x8913;
const SIOCSIFFLAGS = 0x8914;
const SIOCGIFINDEX = 0x8933;
const IFF_UP = 1;
// About thirty thousand interfaces. A pod may make as many as it likes.
const maxTableBytes = 4 * 1024 * 1024;

/** A network interface and what has gone through it since it was made. */
export interface InterfaceCounters {
  readonly name: string;
  readonly index: number;
  readonly rxBytes: bigint;
  readonly rxPackets: bigint;
  readonly rxErrors: bigint;
  readonly rxDropped: bigint;
  readonly txBytes: bigint;
  readonly txPackets: bigint;
  readonly txErrors: bigint;
  readonly txDropped: bigint;
}

/** The interfaces of the calling thread's network namespace, by index. Synchronous. */
export function readInterfaces(): readonly InterfaceCounters[] {
  const rows = parseInterfaceTable(readTable("/proc/thread-self/net/dev"));
  const interfaces = withSocket((socket) =>
    rows.flatMap((row) => {
      const index = indexOf(socket, row.name);
      return index === undefined ? [] : [{ ...row, name: Buffer.from(row.name, "latin1").toString("utf8"), index }];
    }),
  );
  return interfaces.sort((a, b) => a.index - b.index);
}

/** Brings `lo` of the calling thread's network namespace up. Synchronous. */
export function bringLoopbackUp(): void {
  withSocket((socket) => {
    const request = interfaceRequest("lo");
    checked(libc().ioctl(socket, SIOCGIFFLAGS, request), "ioctl SIOCGIFFLAGS", "lo");
    request.writeInt16LE(request.readInt16LE(16) | IFF_UP, 16);
    checked(libc().ioctl(socket, SIOCSIFFLAGS, request), "ioctl SIOCSIFFLAGS", "lo");
  });
}

/** Parses /proc/net/dev: two lines of heading, then `name: ` and sixteen counters. Names are bytes, here as latin1. */
export function parseInterfaceTable(text: string): readonly Omit<InterfaceCounters, "index">[] {
  return text.split("\n").flatMap((line) => {
    const colon = line.indexOf(":");
    const numbers = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/);
    if (colon === -1 || numbers.length < 16 || !numbers.every((number) => /^\d+$/.test(number))) return [];
    const at = (column: number) => BigInt(numbers[column] ?? 0);
    return {
      name: line.slice(0, colon).trim(),
      rxBytes: at(0),
      rxPackets: at(1),
      rxErrors: at(2),
      rxDropped: at(3),
      txBytes: at(8),
      txPackets: at(9),
      txErrors: at(10),
      txDropped: at(11),
    };
  });
}

function indexOf(socket: number, name: string): number | undefined {
  const request = interfaceRequest(name);
  try {
    checked(libc().ioctl(socket, SIOCGIFINDEX, request), "ioctl SIOCGIFINDEX", name);
    return request.readInt32LE(16);
  } catch (error) {
    if (error instanceof SystemCallError && error.code === "ENODEV") return undefined; // gone since the table was read
    throw error;
  }
}

/** struct ifreq: a name of up to 15 bytes, then the answer. */
function interfaceRequest(name: string): Buffer {
  const request = Buffer.alloc(40);
  request.write(name.slice(0, 15), 0, "latin1");
  return request;
}

function withSocket<T>(work: (socket: number) => T): T {
  const socket = checked(libc().socket(AF_INET, SOCK_DGRAM | kernel.O_CLOEXEC, 0), "socket");
  try {
    return work(socket);
  } finally {
    close(socket);
  }
}

function readTable(path: string): string {
  const fd = openSync(path, "r");
  try {
    const chunks: Buffer[] = [];
    for (let total = 0; total <= maxTableBytes; ) {
      const chunk = Buffer.allocUnsafe(64 * 1024);
      const size = readSync(fd, chunk);
      if (size === 0) return Buffer.concat(chunks).toString("latin1");
      chunks.push(chunk.subarray(0, size));
      total += size;
    }
    throw new Fault("exhausted", `reading ${path}: more than ${maxTableBytes} bytes of network interfaces`);
  } finally {
    closeSync(fd);
  }
}
