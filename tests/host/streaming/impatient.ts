/** Clients that leave whenever they like. */
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { WebSocket } from "ws";
import { SpdyClient } from "../../../src/streaming/testing/spdy-client.ts";
import type { Scene } from "./scene.ts";

export interface Places {
  readonly scene: Scene;
  /** A container with a terminal, to be attached to. */
  readonly attachable: string;
  /** A port on which the pod sends back what comes. */
  readonly port: number;
}

/** One session of any kind, left at any moment in any way. Rejects only when the daemon would not have it. */
export async function impatientSession(places: Places): Promise<void> {
  const kind = randomInt(10);
  if (kind < 2) return await forward(places);
  if (kind < 4) return await attach(places);
  if (kind < 6) return await execOverWebSocket(places);
  await execOverSpdy(places, kind === 9);
}

async function execOverSpdy({ scene }: Places, tty: boolean): Promise<void> {
  const cmd = [["cat"], ["sleep", "600"], ["sh", "-c", "sleep 600 & cat /dev/zero"]][randomInt(3)] ?? [];
  const request = { containerId: scene.container, cmd, stdin: true, stdout: true, tty };
  const client = await SpdyClient.connect((await scene.cri.runtime.exec(request)).url);
  if (randomInt(5) === 0) return leave(client);
  const opening = client.openCommand("stdin", "stdout", ...(tty ? ["resize"] : []));
  if (randomInt(5) === 0) return leave(client);
  const { stdin, stdout, error } = await opening;
  if (randomInt(2) === 0) await client.until(() => error?.replied === true || client.socket.destroyed);
  if (stdin && !client.socket.destroyed) client.data(stdin, Buffer.alloc(randomInt(1, 300_000)), randomInt(2) === 0);
  // A terminal's end of input is a key, not the end of the stream.
  if (cmd[0] === "cat" && !tty && randomInt(2) === 0 && stdin) {
    client.data(stdin, "", true);
    await Promise.race([stdout?.ended, client.closed]);
  }
  leave(client);
}

async function attach({ scene, attachable }: Places): Promise<void> {
  const request = { containerId: attachable, stdin: true, stdout: true, tty: true };
  const client = await SpdyClient.connect((await scene.cri.runtime.attach(request)).url);
  const { stdin, resize } = await client.openCommand("stdin", "stdout", "resize");
  if (resize) client.data(resize, JSON.stringify({ Width: randomInt(1, 200), Height: randomInt(1, 100) }));
  if (stdin) client.data(stdin, "echo here\r");
  leave(client);
}

async function forward({ scene, port }: Places): Promise<void> {
  const { url } = await scene.cri.runtime.portForward({ podSandboxId: scene.pod });
  const client = await SpdyClient.connect(url, ["portforward.k8s.io"]);
  for (let id = 0; id < randomInt(1, 4); id++) {
    const headers = { port: String(port), requestid: String(id) };
    await client.open({ streamtype: "error", ...headers });
    const data = await client.open({ streamtype: "data", ...headers });
    client.data(data, Buffer.alloc(randomInt(1, 300_000)), randomInt(2) === 0);
    if (randomInt(2) === 0) await client.until(() => data.chunks.length > 0 || client.socket.destroyed);
  }
  leave(client);
}

async function execOverWebSocket({ scene }: Places): Promise<void> {
  const cmd = [["cat"], ["sleep", "600"]][randomInt(2)] ?? [];
  const request = { containerId: scene.container, cmd, stdin: true, stdout: true };
  const socket = new WebSocket((await scene.cri.runtime.exec(request)).url, ["v5.channel.k8s.io"]);
  socket.on("error", () => {});
  await once(socket, "open");
  if (randomInt(3) > 0) socket.send(Buffer.concat([Buffer.from([0]), Buffer.alloc(randomInt(1, 300_000))]));
  if (randomInt(3) === 0) socket.send(Buffer.from([255, 0]));
  if (randomInt(2) === 0) socket.terminate();
  else socket.close();
}

function leave(client: SpdyClient): void {
  if (randomInt(4) > 0) client.vanish();
  else client.socket.end(); // what comes is read on, so that the other side's end is seen
}
