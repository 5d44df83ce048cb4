import { request as httpRequest, type IncomingMessage } from "node:http";
import { errnoOf, Fault, reasonOf } from "../base/index.ts";

/** CRI-O's own: 32 seconds to connect. Here it also bounds a daemon that accepts and then says nothing. */
const silenceTimeoutMs = 32_000;

/** `sun_path`, with the zero at its end. */
const maxSocketPathBytes = 107;

const maxTextBytes = 64 << 20;

/**
 * Asks the daemon behind a CRI socket over HTTP/1.1. Rejects with a Fault when the daemon cannot be reached or falls silent, and with its words
 * when it answers with an error.
 */
export async function askDaemon(socket: string, path: string): Promise<IncomingMessage> {
  if (Buffer.byteLength(socket) > maxSocketPathBytes) {
    throw new Fault(
      "invalid",
      `unix socket path ${JSON.stringify(socket)} is too long (over ${maxSocketPathBytes} bytes)`,
    );
  }
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const request = httpRequest({ socketPath: socket, path, headers: { Host: "crio" }, agent: false }, resolve);
  request.setTimeout(silenceTimeoutMs, () => {
    request.destroy(new Fault("deadline", `no answer after ${silenceTimeoutMs / 1000} s`));
  });
  request.on("error", (error) => {
    const isNobody = ["ENOENT", "ECONNREFUSED"].includes(errnoOf(error) ?? "");
    const hint = isNobody ? "; no daemon serves it: start crio, or name its socket with --socket" : "";
    reject(new Fault("unavailable", `asking crio at ${socket}: ${reasonOf(error)}${hint}`, { cause: error }));
  });
  request.end();
  const response = await promise;
  const { statusCode = 0 } = response;
  if (statusCode < 400) return response;
  throw new Fault(
    "failed",
    `crio answered ${path} with ${statusCode}: ${JSON.stringify((await textOf(response, path)).trim().slice(0, 512))}`,
  );
}

/** The daemon's answer as text, at most 64 MiB. */
export async function daemonText(socket: string, path: string): Promise<string> {
  return await textOf(await askDaemon(socket, path), path);
}

async function textOf(response: IncomingMessage, path: string): Promise<string> {
  const chunks: Buffer[] = [];
  let total = 0;
  for await (const chunk of response) {
    total += chunk.length;
    if (total > maxTextBytes)
      throw new Fault("exhausted", `the answer of crio to ${path} is over ${maxTextBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/**
 * The daemon's answer as JSON, with integers as bigints: times in nanoseconds do not fit a number.
 * Rejects with a Fault that holds the answer when it is no JSON object, such as an error of the daemon.
 */
export async function daemonJson(socket: string, path: string): Promise<Readonly<Record<string, unknown>>> {
  const text = await daemonText(socket, path);
  try {
    const value: unknown = JSON.parse(text, exactIntegers);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  } catch {}
  throw new Fault("failed", `crio answered ${path} with: ${JSON.stringify(text.trim().slice(0, 512))}`);
}

function exactIntegers(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  const source = context?.source;
  return typeof value === "number" && source !== undefined && /^-?\d+$/.test(source) ? BigInt(source) : value;
}
