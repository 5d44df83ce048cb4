/** Clients that break the rules of SPDY and WebSocket, or use them against the server. */
import { once } from "node:events";
import { WebSocket } from "ws";
import {
  controlFrame,
  frameType,
  pingFrame,
  settingId,
  settingsFrame,
  words,
} from "../../../src/streaming/spdy/frame.ts";
import { SpdyClient } from "../../../src/streaming/testing/spdy-client.ts";
import type { Scene } from "./scene.ts";

/** What one such client does until the server hangs up, or until it has done its worst. */
export const abuses: ReadonlyMap<string, (scene: Scene) => Promise<void>> = new Map([
  ["header bombs", bySpdy(headerBomb)],
  ["floods of SETTINGS", bySpdy(settingsFlood)],
  ["floods of PING without reading", bySpdy(pingFlood)],
  ["oversized control frames", bySpdy(oversizedFrame)],
  ["windows of zero", bySpdy(zeroWindow)],
  ["oversized WebSocket messages", oversizedMessage],
]);

function bySpdy(abuse: (client: SpdyClient) => Promise<void>): (scene: Scene) => Promise<void> {
  return async (scene) => {
    const request = { containerId: scene.container, cmd: ["cat", "/dev/zero"], stdin: true, stdout: true };
    const client = await SpdyClient.connect((await scene.cri.runtime.exec(request)).url);
    await abuse(client);
    client.vanish();
  };
}

async function headerBomb(client: SpdyClient): Promise<void> {
  const bomb = await client.deflated(Buffer.alloc(8 << 20));
  client.write(controlFrame(frameType.synStream, 0, Buffer.concat([words(1, 0), Buffer.alloc(2), bomb])));
  await hungUp(client);
}

async function settingsFlood(client: SpdyClient): Promise<void> {
  const one = settingsFrame([[settingId.initialWindowSize, 65_536]]);
  await client.flood(Buffer.concat(Array.from({ length: 5000 }, () => one)), 32 << 20);
  await hungUp(client);
}

async function pingFlood(client: SpdyClient): Promise<void> {
  client.socket.pause();
  await client.flood(Buffer.concat(Array.from({ length: 5000 }, () => pingFrame(1))), 32 << 20);
}

async function oversizedFrame(client: SpdyClient): Promise<void> {
  await client.flood(controlFrame(frameType.headers, 0, Buffer.alloc((1 << 24) - 1)), 1 << 24);
  await hungUp(client);
}

async function zeroWindow(client: SpdyClient): Promise<void> {
  client.write(settingsFrame([[settingId.initialWindowSize, 0]]));
  const { error } = await client.openCommand("stdin", "stdout");
  client.write(pingFrame(1));
  const isPong = ({ type }: { readonly type: number }) => type === frameType.ping;
  await client.until(() => error?.replied === true && client.control.some(isPong));
}

async function oversizedMessage(scene: Scene): Promise<void> {
  const request = { containerId: scene.container, cmd: ["cat"], stdin: true, stdout: true };
  const socket = new WebSocket((await scene.cri.runtime.exec(request)).url, ["v5.channel.k8s.io"]);
  socket.on("error", () => {});
  await once(socket, "open");
  const closed = once(socket, "close");
  socket.send(Buffer.alloc((16 << 20) + 2));
  await closed;
}

/** The server has said goodbye, or cut the connection. */
async function hungUp(client: SpdyClient): Promise<void> {
  await client.until(() => client.socket.destroyed || client.control.some(({ type }) => type === frameType.goAway));
}
