import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import WebSocket from "ws";
import { Fault } from "../../base/index.ts";
import { limits } from "../limits.ts";
import { aborted, echo, eventually, execRequest, manualBackend, serve } from "../testing/serve.ts";
import { parseMessage } from "./messages.ts";
import { chooseProtocol } from "./protocols.ts";

interface Client {
  readonly socket: WebSocket;
  /** What came on each channel. */
  readonly channels: string[];
  readonly messages: { readonly isBinary: boolean; readonly bytes: Buffer }[];
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  send(channel: number, text: string | Buffer): void;
}

async function connect(url: string, protocol: string | undefined): Promise<Client> {
  const socket = new WebSocket(url.replace(/^http/, "ws"), protocol === undefined ? [] : [protocol]);
  const isBase64 = protocol?.includes("base64") === true;
  const channels: string[] = [];
  const messages: Client["messages"] = [];
  const closed = Promise.withResolvers<{ code: number; reason: string }>();
  socket.on("close", (code, reason) => closed.resolve({ code, reason: reason.toString() }));
  socket.on("error", () => {});
  socket.on("message", (bytes: Buffer, isBinary: boolean) => {
    messages.push({ isBinary, bytes });
    const [channel = 0] = isBase64 ? [Number(bytes.toString("latin1", 0, 1))] : bytes;
    const text = isBase64 ? Buffer.from(bytes.toString("latin1", 1), "base64").toString() : bytes.toString("utf8", 1);
    channels[channel] = (channels[channel] ?? "") + text;
  });
  await once(socket, "open");
  return {
    socket,
    channels,
    messages,
    closed: closed.promise,
    send(channel, text) {
      const bytes = Buffer.from(text);
      if (isBase64) socket.send(`${channel}${bytes.toString("base64")}`);
      else socket.send(Buffer.concat([Buffer.from([channel]), bytes]));
    },
  };
}

async function begin(streams: string, protocol: string | undefined, options = {}) {
  const backend = manualBackend();
  const server = await serve(backend, options);
  const client = await connect(server.execUrl(execRequest(streams)), protocol);
  const played = await backend.next();
  return Object.assign(server, { client, played, session: played.session });
}

const protocols = [
  "v5.channel.k8s.io",
  "v4.channel.k8s.io",
  "v4.base64.channel.k8s.io",
  "channel.k8s.io",
  "base64.channel.k8s.io",
];

describe("a command over WebSocket", { timeout: 30_000 }, () => {
  for (const protocol of [...protocols, undefined]) {
    it(`passes everything in ${protocol ?? "the protocol without a name"}`, async () => {
      await using served = await begin("tty stdin stdout", protocol);
      const { client, session, played } = served;
      assert.equal(client.socket.protocol, protocol ?? "");
      await eventually(() => client.channels[1] === "", "an empty message said that the connection stands");
      client.send(0, "input ");
      client.send(0, "of it");
      client.send(4, '{"Width":80,"Height":24}');
      client.send(9, "nobody's");
      for await (const size of session.resizes) {
        assert.deepEqual(size, { width: 80, height: 24 });
        break;
      }
      let read = "";
      for await (const bytes of session.stdin ?? []) {
        read += bytes;
        if (read === "input of it") break;
      }
      session.stdout?.end("output");
      played.exit(4);
      assert.deepEqual(await client.closed, { code: 1000, reason: "" });
      assert.equal(client.channels[1], "output");
      assert.ok(client.messages.every(({ isBinary }) => isBinary === !protocol?.includes("base64")));
      if (protocol?.startsWith("v")) assert.equal(JSON.parse(client.channels[3] ?? "").reason, "NonZeroExitCode");
      else assert.equal(client.channels[3], "command terminated with non-zero exit code: exit status 4");
    });
  }

  it("has an end of input in the fifth version, and only there", async () => {
    await using fifth = await begin("stdin stdout", "v5.channel.k8s.io");
    fifth.client.send(0, "all of it");
    fifth.client.socket.send(Buffer.from([255, 0]));
    fifth.client.socket.send(Buffer.from([255, 0]));
    fifth.client.socket.send(Buffer.from([255, 77]));
    assert.equal(Buffer.concat((await fifth.session.stdin?.toArray()) ?? []).toString(), "all of it");
    fifth.played.exit(0);
    await fifth.client.closed;
    assert.equal(fifth.client.channels[3], '{"metadata":{},"status":"Success"}');

    await using fourth = await begin("stdin stdout", "v4.channel.k8s.io");
    fourth.client.socket.send(Buffer.from([255, 0]));
    fourth.client.send(0, "more");
    const [bytes] = await once(fourth.session.stdin ?? process, "data");
    assert.equal(bytes.toString(), "more");
    fourth.played.exit(0);
    await fourth.client.closed;
  });

  it("is told when the client goes away, also while nothing of it is being read", async () => {
    for (const leave of [
      (client: Client) => client.socket.close(),
      (client: Client) => client.socket.terminate(),
      (client: Client) => {
        for (let index = 0; index < 100; index++) client.send(0, Buffer.alloc(64 << 10));
        setTimeout(() => client.socket.terminate(), 200);
      },
    ]) {
      await using served = await begin("stdin stdout", "v5.channel.k8s.io", { probeMs: 20 });
      leave(served.client);
      const reason = await aborted(served.session.signal);
      assert.ok(reason instanceof Fault && reason.code === "cancelled");
      assert.ok(served.session.stdin?.destroyed && served.session.stdout?.destroyed);
      served.played.exit(1);
    }
  });

  it("ends when nothing was sent for too long", async () => {
    await using served = await begin("stdin stdout", "v5.channel.k8s.io", { idleTimeoutMs: 100 });
    const reason = await aborted(served.session.signal);
    assert.ok(reason instanceof Fault && reason.code === "deadline");
    served.played.exit(1);
    assert.equal((await served.client.closed).code, 1001);
  });

  it("makes the client wait while the backend does not read, and the backend while the client does not", async () => {
    await using served = await begin("stdin stdout", "v5.channel.k8s.io");
    const { client, session, played } = served;
    for (let index = 0; index < 500; index++) client.send(0, Buffer.alloc(64 << 10));
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.ok(client.socket.bufferedAmount > 8 << 20, "most of it still waits at the client");
    client.socket.pause();
    let written = 0;
    const output = session.stdout;
    while (output?.write(Buffer.alloc(64 << 10))) written += 64 << 10;
    for (let round = 0; round < 200 && output?.writableNeedDrain; round++) {
      await new Promise((resolve) => setTimeout(resolve, 2));
      while (!output.writableNeedDrain && output.write(Buffer.alloc(64 << 10))) written += 64 << 10;
    }
    assert.ok(written < 64 << 20);
    client.socket.resume();
    session.stdin?.resume();
    played.exit(0);
    assert.equal((await client.closed).code, 1000);
  });

  it("is cut off by a client that breaks the rules", async () => {
    const rules: readonly [(client: Client) => void, RegExp][] = [
      [({ socket }) => socket.send(Buffer.from([255])), /close signal/],
      [({ socket }) => socket.send(Buffer.from([255, 0, 1])), /close signal/],
      [({ socket }) => socket.send(Buffer.alloc(limits.webSocketMessageBytes + 1)), /payload/i],
    ];
    for (const [breakRule, why] of rules) {
      await using served = await begin("stdin stdout", "v5.channel.k8s.io");
      breakRule(served.client);
      assert.match(String(await aborted(served.session.signal)), why);
      served.played.exit(1);
      await served.client.closed;
    }
    await using served = await begin("stdin stdout", "base64.channel.k8s.io");
    served.client.socket.send("0***");
    assert.match(String(await aborted(served.session.signal)), /base64/);
    served.played.exit(1);
    await served.client.closed;
  });

  it("answers pings", async () => {
    await using served = await begin("stdin stdout", "v5.channel.k8s.io");
    served.client.socket.ping("are you there");
    const [payload] = await once(served.client.socket, "pong");
    assert.equal(payload.toString(), "are you there");
    served.played.exit(0);
    await served.client.closed;
  });
});

describe("port-forward over WebSocket", { timeout: 30_000 }, () => {
  it("gives each port two channels, which begin with it", async () => {
    await using server = await serve({ portForward: echo });
    for (const protocol of ["v4.channel.k8s.io", "v4.base64.channel.k8s.io", undefined]) {
      const url = server.portForwardUrl({ podId: "p1", ports: [80, 0x1234] });
      const client = await connect(url, protocol);
      client.send(0, "to 80");
      client.send(2, "to 4660");
      const port = (low: number, high: number) => String.fromCharCode(low, high);
      await eventually(() => client.channels[2]?.length === 9 && client.channels[0]?.length === 7, "echoes");
      assert.deepEqual(client.channels, [
        `${port(80, 0)}to 80`,
        port(80, 0),
        `${port(0x34, 0x12)}to 4660`,
        port(0x34, 0x12),
      ]);
      client.socket.close();
      await client.closed;
    }
  });

  it("tells what went wrong on the port's error channel, and closes when all ports are done", async () => {
    await using server = await serve({
      portForward: async ({ port }, connection) => {
        if (port === 1) throw new Error("refused");
        connection.end("done");
      },
    });
    const client = await connect(server.portForwardUrl({ podId: "p1", ports: [1, 2] }), "v4.channel.k8s.io");
    assert.equal((await client.closed).code, 1000);
    assert.equal(client.channels[1], "\u0001\0error forwarding port 1 to pod p1, uid : refused");
    assert.equal(client.channels[2], "\u0002\0done");
  });

  it("carries SPDY inside, for kubectl and crictl", async () => {
    await using server = await serve({ portForward: echo });
    // What goes on inside is for crictl to say, in test/host/streaming.test.ts.
    const asked = new WebSocket(server.portForwardUrl({ podId: "p1" }).replace("http", "ws"), [], {
      headers: { "Sec-WebSocket-Protocol": "SPDY/3.1+portforward.k8s.io" },
    });
    asked.on("error", () => {});
    const [response] = await once(asked, "upgrade");
    assert.equal(response.headers["sec-websocket-protocol"], "SPDY/3.1+portforward.k8s.io");
    asked.terminate();
  });
});

describe("WebSocket subprotocols", () => {
  it("are chosen in the client's order", () => {
    assert.equal(chooseProtocol("x, v4.channel.k8s.io,v5.channel.k8s.io", protocols), "v4.channel.k8s.io");
    assert.equal(chooseProtocol(undefined, [...protocols, ""]), "");
    assert.equal(chooseProtocol("x", protocols), undefined);
  });

  it("are refused when nobody speaks them, and the URL is used up", async () => {
    await using server = await serve(manualBackend());
    const url = server.execUrl(execRequest("stdout")).replace("http", "ws");
    for (const status of [403, 404]) {
      const socket = new WebSocket(url, "v9.channel.k8s.io");
      const [, response] = await once(socket, "unexpected-response");
      assert.equal(response.statusCode, status);
      socket.on("error", () => {});
      socket.terminate();
    }
  });

  it("read messages strictly", () => {
    const binary = { encoding: "binary", statusFormat: "json", hasClose: true } as const;
    assert.deepEqual(parseMessage(Buffer.alloc(0), binary), { is: "nothing" });
    assert.deepEqual(parseMessage(Buffer.from([255, 2]), binary), { is: "close", channel: 2 });
    const data = parseMessage(Buffer.from([255, 2]), { ...binary, hasClose: false });
    assert.ok(data.is === "data" && data.channel === 255);
    for (const wrong of ["0a", "0a===", "0=aaa", "0 aaa"]) {
      assert.throws(() => parseMessage(Buffer.from(wrong), { ...binary, encoding: "base64" }), /base64/, wrong);
    }
  });
});
