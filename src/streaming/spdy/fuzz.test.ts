import assert from "node:assert/strict";
import { randomBytes, randomInt } from "node:crypto";
import { describe, it } from "node:test";
import { echo, eventually, execRequest, openFiles, serve } from "../testing/serve.ts";
import { headerBlock, SpdyClient } from "../testing/spdy-client.ts";
import { controlFrame, dataHeader, words } from "./frame.ts";

const connections = Number(process.env.CRIO_TS_FUZZ ?? 150);

/** A number of the kind that length checks get wrong. */
function oddNumber(): number {
  const odd = [0, 1, 2, 3, 5, 7, 8, 255, 256, 0xffff, 0xffffff, 0x7fffffff, 0x80000000, 0xffffffff];
  return odd[randomInt(odd.length)] ?? 0;
}

/** A frame that is nearly right. */
async function frame(client: SpdyClient): Promise<Buffer> {
  switch (randomInt(6)) {
    case 0:
      return controlFrame(randomInt(12), randomInt(256), randomBytes(randomInt(40)));
    case 1:
      return controlFrame(randomInt(12), 0, words(oddNumber(), oddNumber(), oddNumber()));
    case 2: {
      const streamtype = ["stdin", "stdout", "data", "error", "resize", ""][randomInt(6)] ?? "";
      const block = headerBlock([
        ["streamtype", streamtype],
        ["port", String(oddNumber())],
      ]);
      if (randomInt(3) === 0) block[randomInt(block.length)] = randomInt(256);
      const compressed = await client.deflated(block);
      if (randomInt(5) === 0) compressed[randomInt(compressed.length)] = randomInt(256);
      return controlFrame(
        1,
        randomInt(4),
        Buffer.concat([words(randomInt(40) * 2 + 1, 0), Buffer.alloc(2), compressed]),
      );
    }
    case 3:
      return Buffer.concat([dataHeader(randomInt(40), 100, randomInt(2)), randomBytes(100)]);
    case 4:
      return dataHeader(oddNumber() % 0x80000000, randomInt(1 << 16), randomInt(256));
    default:
      return randomBytes(randomInt(64));
  }
}

describe("SPDY frames that are nearly right", { timeout: 60_000 }, () => {
  it(`end their own connection at worst (${connections} of them)`, async () => {
    let running = 0;
    const counted = async <T>(work: () => Promise<T>): Promise<T> => {
      running++;
      return await work().finally(() => running--);
    };
    await using server = await serve({
      exec: (_request, { stdin, signal }) =>
        counted(async () => {
          stdin?.resume();
          await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
          return { exitCode: 0 };
        }),
      portForward: (request, connection) => counted(() => echo(request, connection)),
    });
    const before = openFiles();
    for (let round = 0; round < connections; round++) {
      const isForward = randomInt(2) === 0;
      const url = isForward ? server.portForwardUrl({ podId: "p" }) : server.execUrl(execRequest("stdin stdout"));
      const client = await SpdyClient.connect(url, [isForward ? "portforward.k8s.io" : "v4.channel.k8s.io"]);
      if (!isForward) await client.openCommand("stdin", "stdout");
      for (let index = 0; index < 20 && client.socket.writable; index++) client.write(await frame(client));
      if (randomInt(2) === 0) await new Promise((resolve) => setImmediate(resolve));
      client.vanish();
    }
    await eventually(() => running === 0, "no call of the backend is left");
    await eventually(() => openFiles() <= before, "no descriptor is left");
    assert.ok(true, "and the process is there");
  });
});
