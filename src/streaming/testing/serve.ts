import { once } from "node:events";
import { readdirSync } from "node:fs";
import type { Duplex, Readable } from "node:stream";
import { finished } from "node:stream/promises";
import { silentLogger } from "../../base/index.ts";
import type { CommandSession, ExecRequest, ForwardRequest, StreamingBackend } from "../backend.ts";
import { createStreamingServer, type StreamingServer, type StreamingServerOptions } from "../server.ts";

/** A running server on loopback, stopped at the end of the scope. */
export async function serve(
  backend: Partial<StreamingBackend>,
  options: Partial<StreamingServerOptions> = {},
): Promise<StreamingServer & AsyncDisposable> {
  const nothing = async () => {
    throw new Error("not expected in this test");
  };
  const whole: StreamingBackend = { exec: nothing, attach: nothing, portForward: nothing, ...backend };
  const server = createStreamingServer({
    address: "127.0.0.1",
    port: 0,
    backend: whole,
    log: silentLogger,
    ...options,
  });
  await server.start();
  return Object.assign(server, { [Symbol.asyncDispose]: () => server.stop() });
}

/** A request for a command with the given streams. */
export function execRequest(streams: string, command: readonly string[] = ["true"]): ExecRequest {
  const asked = streams.split(" ");
  const has = (name: string) => asked.includes(name);
  return {
    containerId: "c1",
    command,
    tty: has("tty"),
    stdin: has("stdin"),
    stdout: has("stdout"),
    stderr: has("stderr"),
  };
}

/** A backend whose sessions a test plays itself, one at a time. */
export function manualBackend(): StreamingBackend & { next(): Promise<PlayedSession> } {
  const waiting: PlayedSession[] = [];
  const asking: ((played: PlayedSession) => void)[] = [];
  const play = (session: CommandSession, request: ExecRequest | undefined) => {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const played = { session, request, exit: resolve, fail: reject };
    const ask = asking.shift();
    if (ask === undefined) waiting.push(played);
    else ask(played);
    return promise;
  };
  return {
    exec: async (request, session) => ({ exitCode: await play(session, request) }),
    attach: async (_request, session) => void (await play(session, undefined)),
    portForward: async (_request: ForwardRequest) => {
      throw new Error("not expected in this test");
    },
    next: () =>
      new Promise((resolve) => {
        const played = waiting.shift();
        if (played === undefined) asking.push(resolve);
        else resolve(played);
      }),
  };
}

export interface PlayedSession {
  readonly session: CommandSession;
  readonly request: ExecRequest | undefined;
  exit(code: number): void;
  fail(error: Error): void;
}

/** Sends back what comes, both ends included. */
export async function echo(_request: ForwardRequest, connection: Duplex): Promise<void> {
  for await (const bytes of connection.iterator({ destroyOnReturn: false })) {
    if (!connection.write(bytes)) await once(connection, "drain");
  }
  connection.end();
  await finished(connection, { readable: false });
}

/** All that comes, without harm to the other direction (a plain loop would destroy both). */
export async function textOf(input: Readable | undefined): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const bytes of input?.iterator({ destroyOnReturn: false }) ?? []) chunks.push(bytes);
  return Buffer.concat(chunks).toString();
}

/** Resolves once `signal` has aborted, with the reason. */
export async function aborted(signal: AbortSignal): Promise<unknown> {
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  return signal.reason;
}

/** Waits until something is so, at most ten seconds. */
export async function eventually(isSo: () => boolean, what: string): Promise<void> {
  const end = performance.now() + 10_000;
  while (!isSo()) {
    if (performance.now() > end) throw new Error(`still not so after 10 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** How many sockets this process has open. */
export function openFiles(): number {
  return readdirSync("/proc/self/fd").length;
}
