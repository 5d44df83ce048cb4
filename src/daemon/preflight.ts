import { createServer } from "node:net";
import { errnoOf, Fault, reasonOf, silentLogger } from "../base/index.ts";
import { type Config, type Problem, type Source, withSource } from "../config/index.ts";
import { isServed, loadTls } from "../host/index.ts";
import { checkDriver } from "../storage/index.ts";
import { storeOptions } from "./node-store.ts";
import { resolvePort, tlsOptions } from "./streaming.ts";

/**
 * What keeps the daemon from serving, found before anything is changed: a daemon that serves the socket already, ports that are taken,
 * certificates that do not fit their keys.
 */
export async function preflight(config: Config, sources: ReadonlyMap<string, Source>): Promise<readonly Problem[]> {
  const { api, metrics } = config;
  const tls = tlsOptions(api);
  const checks: readonly (readonly [key: string, look: () => Promise<unknown>])[] = [
    ["crio.api.listen", () => refuseServed(api.listen)],
    ["crio.storage_driver", async () => checkDriver(storeOptions(config, silentLogger))],
    ["crio.api.stream_port", async () => tryPort(api.streamAddress, await resolvePort(api.streamPort))],
    ...(tls === undefined ? [] : [["crio.api.stream_tls_cert", () => loadTls(tls)] as const]),
    ...(metrics.enableMetrics && metrics.metricsPort > 0
      ? [["crio.metrics.metrics_port", () => tryPort(metrics.metricsHost, metrics.metricsPort)] as const]
      : []),
  ];
  const problems: Problem[] = [];
  for (const [key, look] of checks) {
    try {
      await look();
    } catch (error) {
      problems.push(withSource({ key, stops: "start", message: reasonOf(error) }, sources));
    }
  }
  return problems;
}

async function refuseServed(socket: string): Promise<void> {
  if (!(await isServed(socket))) return;
  throw new Fault(
    "exists",
    `already existing connection on ${socket}: another daemon serves this socket; stop it first`,
  );
}

/** Listens for a moment. Rejects with Fault("exists") when somebody else does. */
async function tryPort(host: string, port: number): Promise<void> {
  if (port === 0) return; // the kernel chooses a free one
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const server = createServer().once("error", reject).once("listening", resolve);
  server.listen({ host, port, exclusive: true });
  try {
    await promise;
  } catch (error) {
    const where = `${host === "" ? "*" : host}:${port}`;
    if (errnoOf(error) === "EADDRINUSE") {
      throw new Fault("exists", `the port ${where} is taken by another program: end it, or choose another port`, {
        cause: error,
      });
    }
    if (errnoOf(error) === "EADDRNOTAVAIL") {
      throw new Fault("invalid", `${host} is not an address of this node`, { cause: error });
    }
    throw error;
  } finally {
    if (server.listening) await new Promise((done) => server.close(done));
  }
}
