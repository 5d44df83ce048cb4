import { once } from "node:events";
import type { Socket } from "node:net";
import { SpdyClient, upgrade } from "../../../src/streaming/testing/spdy-client.ts";
import type { Subject } from "./subject.ts";

/** MB/s (of 2^20 bytes) with which so many bytes come, from the first of them on. */
export type Transfer = (subject: Subject, bytes: number) => Promise<number>;

export async function execOverSpdy({ cri, container }: Subject, bytes: number): Promise<number> {
  const { url } = await cri.runtime.exec({ containerId: container, cmd: zeros(bytes), stdout: true });
  const client = await SpdyClient.connect(url);
  await client.openCommand("stdout");
  return await rateOf(client.socket, bytes);
}

export async function execOverWebSocket({ cri, container }: Subject, bytes: number): Promise<number> {
  const { url } = await cri.runtime.exec({ containerId: container, cmd: zeros(bytes), stdout: true });
  const headers = {
    Upgrade: "websocket",
    "Sec-WebSocket-Key": Buffer.alloc(16).toString("base64"),
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Protocol": "v4.channel.k8s.io",
  };
  return await rateOf(await upgrade(url, headers, "GET"), bytes);
}

export async function portForward({ cri, pod, port }: Subject, bytes: number): Promise<number> {
  const { url } = await cri.runtime.portForward({ podSandboxId: pod, port: [port] });
  const client = await SpdyClient.connect(url, ["portforward.k8s.io"]);
  const headers = { port: String(port), requestid: "0" };
  await client.open({ streamtype: "error", ...headers });
  await client.open({ streamtype: "data", ...headers });
  return await rateOf(client.socket, bytes);
}

/** Milliseconds from the Exec call to the first byte of what the command says. */
export async function firstByteMs({ cri, container }: Subject): Promise<number> {
  const began = performance.now();
  const { url } = await cri.runtime.exec({ containerId: container, cmd: ["echo", "here"], stdout: true });
  const client = await SpdyClient.connect(url);
  const { stdout, error } = await client.openCommand("stdout");
  await client.until(() => (stdout?.chunks.length ?? 0) > 0);
  const ms = performance.now() - began;
  await Promise.race([error?.ended, client.closed]);
  client.vanish();
  return ms;
}

function zeros(bytes: number): string[] {
  return ["dd", "if=/dev/zero", "bs=1048576", `count=${bytes >> 20}`];
}

/** What the protocol adds is less than a thousandth, and counted in. */
async function rateOf(socket: Socket, bytes: number): Promise<number> {
  socket.removeAllListeners("data");
  let had = 0;
  let began = 0;
  const all = Promise.withResolvers<void>();
  socket.on("data", (chunk: Buffer) => {
    // What comes before, such as the answers to the streams' opening, is small.
    if (began === 0 && chunk.length > 4096) began = performance.now();
    had += chunk.length;
    if (had >= bytes) all.resolve();
  });
  const closed = once(socket, "close").then(() => {
    throw new Error(`the connection ended after ${had} of ${bytes} bytes`);
  });
  await Promise.race([all.promise, closed]);
  const seconds = (performance.now() - began) / 1000;
  closed.catch(() => {});
  socket.destroy();
  return bytes / (1 << 20) / seconds;
}
