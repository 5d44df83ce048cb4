import { connect, type Socket } from "node:net";
import { deadline, Fault, reasonOf } from "../base/index.ts";
import type { Pod } from "../state/index.ts";
import type { PodDeps } from "./deps.ts";

const connectTimeoutMs = 10_000;

/** Connects to a port on the pod's loopback, IPv4 before IPv6. The caller destroys the socket. */
export async function connectToPod(
  deps: Pick<PodDeps, "namespaces">,
  pod: Pod,
  port: number,
  signal?: AbortSignal,
): Promise<Socket> {
  const { id, hostNetwork, namespaces } = pod.record;
  if (pod.stopped) throw new Fault("precondition", `sandbox ${id} is not running`);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Fault("invalid", `${port} is not a port`);
  try {
    if (hostNetwork) return await connectOnHost(port, signal);
    if (namespaces.net === undefined)
      throw new Fault("precondition", `network namespace path of sandbox ${id} is empty`);
    return await deps.namespaces.connectLocalhost(namespaces.net, port, {
      timeoutMs: connectTimeoutMs,
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (error) {
    throw new Fault(
      "unavailable",
      `failed to connect to localhost:${port} inside namespace ${id}, ${reasonOf(error)}`,
      {
        cause: error,
      },
    );
  }
}

async function connectOnHost(port: number, signal: AbortSignal | undefined): Promise<Socket> {
  using patience = deadline(connectTimeoutMs, `connecting to port ${port}`, signal);
  const socket = connect({ host: "localhost", port, allowHalfOpen: true });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once("connect", resolve);
  socket.once("error", reject);
  patience.addEventListener("abort", () => reject(patience.reason), { once: true });
  try {
    await promise;
    socket.removeListener("error", reject);
    return socket;
  } catch (error) {
    socket.on("error", () => {});
    socket.destroy();
    throw error;
  }
}
