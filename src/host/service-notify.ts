import { Fault, reasonOf } from "../base/index.ts";
import { libc } from "./libc.ts";
import { checked, close } from "./syscalls.ts";
import { unixSocket, withUnixAddress } from "./unix-socket.ts";

/**
 * Tells the service manager something, as sd_notify(3) does: `"READY=1"`, `"WATCHDOG=1"`, lines separated by newlines.
 * False when nobody asked to be told (`NOTIFY_SOCKET` is not set). Throws Fault("unavailable") when it cannot be told.
 */
export function notifyServiceManager(state: string, socketPath = process.env.NOTIFY_SOCKET): boolean {
  if (socketPath === undefined || socketPath === "") return false;
  const fd = unixSocket("datagram");
  try {
    const data = Buffer.from(state);
    withUnixAddress(socketPath, (address) =>
      checked(libc().sendto(fd, data, data.length, 0, address, address.length), "sendto", socketPath),
    );
    return true;
  } catch (error) {
    throw new Fault("unavailable", `notifying the service manager: ${reasonOf(error)}`, { cause: error });
  } finally {
    close(fd);
  }
}
