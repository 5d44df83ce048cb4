import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Framing } from "./framing.ts";
import { decodeMessage, encodeMessage, type Message, type MessageHeader } from "./message.ts";
import type { DbusValue } from "./value.ts";

/** For tests: the other end of a D-Bus connection, whose answers the test decides. */
export interface FakePeer extends AsyncDisposable {
  readonly socketPath: string;
  /** How many connections there were so far. */
  readonly connections: number;
  /** Cuts every connection. */
  cut(): void;
}

export interface FakeClient {
  readonly socket: Socket;
  /** Answers a call with results. */
  answer(call: Message, signature?: string, values?: readonly DbusValue[]): void;
  /** Answers a call with an error. */
  refuse(call: Message, errorName: string, text: string): void;
  signal(header: Omit<MessageHeader, "kind">, signature: string, values: readonly DbusValue[]): void;
}

/** Listens on a socket of its own and hands each message of each client to `onMessage`. */
export async function startFakePeer(onMessage: (message: Message, client: FakeClient) => void): Promise<FakePeer> {
  const directory = await mkdtemp(join(tmpdir(), "dbus-"));
  const socketPath = join(directory, "socket");
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => {});
    serve(socket, onMessage);
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(socketPath, resolve);
  await promise;
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    socketPath,
    cut,
    get connections() {
      return connections;
    },
    async [Symbol.asyncDispose]() {
      cut();
      server.close();
      await rm(directory, { recursive: true });
    },
  };
}

function serve(socket: Socket, onMessage: (message: Message, client: FakeClient) => void): void {
  const framing = new Framing();
  const client = clientOver(socket);
  let greeting = Buffer.alloc(0);
  let greeted = false;
  socket.on("data", (chunk: Buffer) => {
    let bytes = chunk;
    if (!greeted) {
      greeting = Buffer.concat([greeting, chunk]);
      const begin = greeting.indexOf("BEGIN\r\n");
      if (begin < 0) {
        if (greeting.indexOf("\r\n") >= 0) socket.write("OK 0123456789abcdef\r\n");
        return;
      }
      greeted = true;
      bytes = greeting.subarray(begin + "BEGIN\r\n".length);
    }
    for (const frame of framing.push(bytes)) {
      const message = decodeMessage(frame);
      if (message !== undefined) onMessage(message, client);
    }
  });
}

function clientOver(socket: Socket): FakeClient {
  let serial = 0;
  const send = (header: MessageHeader, signature: string, values: readonly DbusValue[]) => {
    serial += 1;
    socket.write(encodeMessage(header, { serial, signature, values }));
  };
  return {
    socket,
    answer: (call, signature = "", values = []) =>
      send({ kind: "return", replySerial: call.serial }, signature, values),
    refuse: (call, errorName, text) => send({ kind: "error", replySerial: call.serial, errorName }, "s", [text]),
    signal: (header, signature, values) => send({ ...header, kind: "signal" }, signature, values),
  };
}
