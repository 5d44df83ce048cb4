import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { Fault, reasonOf } from "../../base/index.ts";
import { AuthAnswer, authBegin, authGreeting } from "./auth.ts";

/** A socket on which messages may be sent, paused, and what already came after the authentication. */
export interface AuthenticatedSocket {
  readonly socket: Socket;
  readonly rest: Buffer;
}

/**
 * Connects to a D-Bus socket in the file system and says who we are.
 * Rejects with Fault("unavailable") when nobody listens there, Fault("denied") when we are refused, or the signal's reason.
 */
export async function openSocket(path: string, signal: AbortSignal): Promise<AuthenticatedSocket> {
  signal.throwIfAborted();
  const socket = connect({ path });
  try {
    await once(socket, "connect", { signal });
    socket.write(authGreeting(process.geteuid?.() ?? 0));
    const rest = await answerOf(socket, signal);
    socket.write(authBegin);
    return { socket, rest };
  } catch (error) {
    socket.on("error", () => {}); // what a dying socket still says
    socket.destroy();
    signal.throwIfAborted();
    if (error instanceof Fault) throw error;
    throw new Fault("unavailable", `D-Bus at ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

async function answerOf(socket: Socket, signal: AbortSignal): Promise<Buffer> {
  const answer = new AuthAnswer();
  for (;;) {
    const chunk = await nextChunk(socket, signal);
    const rest = answer.push(chunk);
    if (rest !== undefined) return rest;
  }
}

/** The next bytes; the socket is paused again before it resolves, so that nothing is lost between two readers. */
async function nextChunk(socket: Socket, signal: AbortSignal): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const onData = (chunk: Buffer) => {
    socket.pause();
    resolve(chunk);
  };
  const onClose = () => reject(new Fault("unavailable", "D-Bus: the connection was closed during the authentication"));
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  socket.on("data", onData).on("error", reject).on("close", onClose).resume();
  try {
    return await promise;
  } finally {
    signal.removeEventListener("abort", onAbort);
    socket.off("data", onData).off("error", reject).off("close", onClose);
  }
}
