import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { limits } from "../limits.ts";
import { aborted, eventually, execRequest, manualBackend, serve } from "../testing/serve.ts";
import { headerBlock, SpdyClient } from "../testing/spdy-client.ts";
import {
  controlFrame,
  dataHeader,
  frameType,
  pingFrame,
  settingId,
  settingsFrame,
  windowUpdateFrame,
  words,
} from "./frame.ts";

async function begin() {
  const backend = manualBackend();
  const server = await serve(backend);
  const client = await SpdyClient.connect(server.execUrl(execRequest("stdin stdout")));
  const sides = await client.openCommand("stdin", "stdout");
  const played = await backend.next();
  void aborted(played.session.signal).then((reason) => played.fail(new Error(String(reason))));
  const { stdin, stdout } = sides;
  const { session } = played;
  if (!stdin || !stdout || !session.stdin || !session.stdout) throw new Error("streams are missing");
  return Object.assign(server, { client, stdin, stdout, input: session.stdin, output: session.stdout, played });
}

/** The client is cut off for breaking the protocol. */
async function assertCutOff({ client, played }: Awaited<ReturnType<typeof begin>>, why: RegExp) {
  const reason = await aborted(played.session.signal);
  assert.match(String(reason), why);
  client.socket.end();
  await client.closed;
}

describe("a SPDY client that breaks the rules is cut off", { timeout: 30_000 }, () => {
  it("with control frames larger than any needs to be", async () => {
    await using served = await begin();
    served.client.write(controlFrame(frameType.settings, 0, Buffer.alloc(1 << 20)));
    await assertCutOff(served, /control frame of 1048576 bytes/);
  });

  it("with a header bomb", async () => {
    await using served = await begin();
    const bomb = await served.client.deflated(Buffer.alloc(8 << 20));
    served.client.write(controlFrame(frameType.synStream, 0, Buffer.concat([words(99, 0), Buffer.alloc(2), bomb])));
    await assertCutOff(served, /header block of more than/);
  });

  it("with more headers than streams have, or counts that lie", async () => {
    for (const block of [
      headerBlock(Array.from({ length: 100 }, (_, index) => [`h${index}`, ""] as const)),
      headerBlock([], 0xffffffff),
      Buffer.concat([words(1, 0xfffffff0), Buffer.alloc(100)]),
    ]) {
      await using served = await begin();
      const payload = Buffer.concat([words(99, 0), Buffer.alloc(2), await served.client.deflated(block)]);
      served.client.write(controlFrame(frameType.synStream, 0, payload));
      await assertCutOff(served, /headers on one stream|ends in the middle/);
    }
  });

  it("with SETTINGS whose count does not fit, and with a flood of proper ones", async () => {
    for (const frame of [
      controlFrame(frameType.settings, 0, words(0xffffffff)),
      controlFrame(frameType.settings, 0, words(3, 1, 1)),
      controlFrame(frameType.settings, 0, Buffer.alloc(2)),
      settingsFrame(Array.from({ length: 65 }, (_, index) => [index, 1] as const)),
      settingsFrame([[settingId.initialWindowSize, 0xffffffff]]),
    ]) {
      await using served = await begin();
      served.client.write(frame);
      await assertCutOff(served, /SETTINGS|initial window/);
    }
    await using served = await begin();
    const one = settingsFrame([[settingId.initialWindowSize, 65_536]]);
    await served.client.flood(Buffer.concat(Array.from({ length: 1000 }, () => one)), 64 << 20);
    await assertCutOff(served, /too many control frames/);
  });

  it("and is not listened to any longer, however much it sends", async () => {
    await using served = await begin();
    const { client } = served;
    client.write(windowUpdateFrame(0, 0x7fffffff));
    const sent = await client.flood(Buffer.alloc(1 << 20), 256 << 20);
    assert.ok(sent < 64 << 20, `${sent >> 20} MiB were taken`);
    await client.closed;
    served.played.exit(0);
  });

  it("with floods of pings, unknown frames, empty data and resets of nothing", async () => {
    for (const frame of [
      pingFrame(1),
      controlFrame(77, 0, words(1)),
      dataHeader(1, 0, 0),
      controlFrame(frameType.rstStream, 0, words(12_345, 5)),
      windowUpdateFrame(7, 1),
      dataHeader(4711, 0, 0),
    ]) {
      await using served = await begin();
      await served.client.flood(Buffer.concat(Array.from({ length: 4000 }, () => frame)), 1 << 20);
      await assertCutOff(served, /too many control frames/);
    }
  });

  it("with streams out of order, truncated frames and windows that overflow", async () => {
    for (const [frame, why] of [
      [async (client: SpdyClient) => void (await client.open({ streamtype: "resize" }, 0, 3)), /stream 3 after stream/],
      [
        async (client: SpdyClient) => void (await client.open({ streamtype: "resize" }, 0, 100)),
        /stream 100 after stream/,
      ],
      [async (client: SpdyClient) => client.write(controlFrame(frameType.synStream, 0, words(1))), /SYN_STREAM of 4/],
      [async (client: SpdyClient) => client.write(controlFrame(frameType.ping, 0, Buffer.alloc(0))), /PING of 0/],
      [async (client: SpdyClient) => client.write(windowUpdateFrame(0, 0x7fffffff)), /more than 2 GiB/],
      [async (client: SpdyClient) => client.write(Buffer.from([0x80, 9, 0, 1, 0, 0, 0, 0])), /SPDY\/9/],
    ] as const) {
      await using served = await begin();
      await frame(served.client);
      await assertCutOff(served, why);
    }
  });
});

describe("a SPDY client that asks for too much", { timeout: 30_000 }, () => {
  it("is answered with resets beyond the streams it may have", async () => {
    await using served = await begin();
    const { client, played } = served;
    for (let index = 0; index < 20; index++) {
      const side = await client.open({ streamtype: index === 0 ? "resize" : "stdin" });
      if (index > 0) await side.reset;
    }
    played.exit(0);
    await client.closed;
  });

  it("gets its pings answered, but only as long as it reads the answers", async () => {
    await using served = await begin();
    const { client, played } = served;
    client.write(pingFrame(41));
    await client.until(() => client.control.some(({ type, words: [id] }) => type === frameType.ping && id === 41));
    played.exit(0);
    await client.closed;
  });

  it("waits while the backend does not read, and we hold a fixed amount", async () => {
    await using served = await begin();
    const { client, stdin, input, played } = served;
    const piece = Buffer.concat([dataHeader(stdin.id, 1 << 16, 0), Buffer.alloc(1 << 16)]);
    const sent = await client.flood(piece, 256 << 20);
    assert.ok(sent < 64 << 20, `the kernel's buffers hold some, but not ${sent} bytes`);
    let read = 0;
    for await (const bytes of input) {
      read += bytes.length;
      if (read > sent / 2) break;
    }
    played.exit(0);
    await client.closed;
  });

  it("waits as well when its pieces are tiny", async () => {
    await using served = await begin();
    const { client, stdin, played } = served;
    const tiny = Buffer.concat([dataHeader(stdin.id, 1, 0), Buffer.from("x")]);
    const before = process.memoryUsage().rss;
    const sent = await client.flood(Buffer.concat(Array.from({ length: 7000 }, () => tiny)), 256 << 20);
    assert.ok(sent < 64 << 20);
    assert.ok(process.memoryUsage().rss - before < 128 << 20);
    played.exit(0);
    await client.closed;
  });

  it("makes the backend wait while it reads nothing", async () => {
    await using served = await begin();
    const { client, stdout, output, played } = served;
    client.socket.pause();
    let written = 0;
    while (output.write(Buffer.alloc(1 << 16)) || (await drained(output))) written += 1 << 16;
    assert.ok(written < 64 << 20);
    assert.ok(output.writableLength <= limits.outboxBytes * 2);
    client.socket.resume();
    played.exit(0);
    await stdout.ended;
    assert.equal(Buffer.concat(stdout.chunks).length, written + (1 << 16));
  });

  it("gets as much as its windows allow, none at all for a window of zero", async () => {
    await using served = await begin();
    const { client, stdout, output, played } = served;
    client.write(settingsFrame([[settingId.initialWindowSize, 0]]));
    client.write(pingFrame(1));
    await client.until(() => client.control.some(({ type }) => type === frameType.ping));
    const data = Buffer.alloc(300_000, "abc");
    output.end(data);
    client.write(pingFrame(3));
    await client.until(() => client.control.filter(({ type }) => type === frameType.ping).length === 2);
    assert.equal(stdout.chunks.length, 0);
    let had = 0;
    while (had < data.length) {
      client.write(windowUpdateFrame(stdout.id, 50_000));
      had = Math.min(data.length, had + 50_000);
      await client.until(() => Buffer.concat(stdout.chunks).length >= had);
      assert.equal(Buffer.concat(stdout.chunks).length, had);
    }
    played.exit(0);
    await stdout.ended;
    assert.ok(Buffer.concat(stdout.chunks).equals(data));
  });

  it("is given credit for what was read, when it keeps to windows itself", async () => {
    await using served = await begin();
    const { client, stdin, input, played } = served;
    const window = client.control
      .filter(({ type }) => type === frameType.settings)
      .flatMap(({ words: [_count, ...pairs] }) => (pairs[2] === settingId.initialWindowSize ? [pairs[3] ?? 0] : []))[0];
    assert.equal(window, limits.inboxBytes);
    const hash = createHash("sha256");
    const ours = createHash("sha256");
    const reading = (async () => {
      for await (const bytes of input) hash.update(bytes);
    })();
    let budget: number = limits.inboxBytes;
    let credited = 0;
    const total = 4 << 20;
    for (let sent = 0; sent < total; ) {
      const piece = Buffer.alloc(Math.min(16 << 10, budget, total - sent), sent % 251);
      ours.update(piece);
      client.data(stdin, piece);
      sent += piece.length;
      budget -= piece.length;
      const credit = () =>
        client.control.reduce(
          (sum, { type, words: [id, delta = 0] }) =>
            type === frameType.windowUpdate && id === stdin.id ? sum + delta : sum,
          0,
        );
      if (budget === 0) await client.until(() => credit() > credited);
      budget += credit() - credited;
      credited = credit();
    }
    client.data(stdin, "", true);
    await reading;
    assert.equal(hash.digest("hex"), ours.digest("hex"));
    played.exit(0);
    await client.closed;
  });
});

/** Whether the backend may go on soon. */
async function drained(output: NodeJS.WritableStream): Promise<boolean> {
  return await new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), 500);
    output.once("drain", () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}

describe("data after its end", () => {
  it("is answered with a reset and nothing else", async () => {
    await using served = await begin();
    const { client, stdin, input, played } = served;
    client.data(stdin, "all", true);
    client.data(stdin, "more");
    assert.equal(await stdin.reset, 9);
    assert.equal(Buffer.concat(await input.toArray()).toString(), "all");
    await eventually(() => !played.session.signal.aborted, "the session goes on");
    played.exit(0);
    await client.closed;
  });
});
