import { constants, openSync } from "node:fs";
import { basename, dirname } from "node:path";
import { Fault } from "../base/index.ts";
import { libc } from "./libc.ts";
import { checked, close, kernel } from "./syscalls.ts";

const AF_UNIX = 1;
const O_NONBLOCK = constants.O_NONBLOCK; // SOCK_NONBLOCK has the same value
const maxPathBytes = 107;

export const socketTypes = { stream: 1, datagram: 2, packets: 5 } as const;

/** A new unix socket that never blocks, close-on-exec. The caller closes it. */
export function unixSocket(type: keyof typeof socketTypes): number {
  return checked(libc().socket(AF_UNIX, socketTypes[type] | kernel.O_CLOEXEC | O_NONBLOCK, 0), "socket");
}

/**
 * Runs `work` with struct sockaddr_un for `path`; a name that starts with `@` is an abstract one. A path too long for the
 * struct (107 bytes) is given by way of a descriptor of its directory.
 */
export function withUnixAddress<T>(path: string, work: (address: Buffer) => T): T {
  if (path.includes("\0") || path === "")
    throw new Fault("invalid", `not the path of a socket: ${JSON.stringify(path)}`);
  if (Buffer.byteLength(path) <= maxPathBytes) return work(addressOf(path));
  const directory = openSync(dirname(path), kernel.O_PATH | constants.O_DIRECTORY);
  try {
    const byDescriptor = `/proc/self/fd/${directory}/${basename(path)}`;
    if (Buffer.byteLength(byDescriptor) > maxPathBytes) throw new Fault("invalid", `socket path too long: ${path}`);
    return work(addressOf(byDescriptor));
  } finally {
    close(directory);
  }
}

function addressOf(path: string): Buffer {
  const abstract = path.startsWith("@");
  const name = Buffer.from(path);
  if (abstract) name[0] = 0;
  const address = Buffer.alloc(2 + name.length + (abstract ? 0 : 1));
  address.writeUInt16LE(AF_UNIX, 0);
  name.copy(address, 2);
  return address;
}
