import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";
import { describe, it } from "node:test";
import { isFault, silentLogger } from "../base/index.ts";
import { createStreamingServer } from "./server.ts";
import { aborted, echo, eventually, execRequest, manualBackend, openFiles, serve } from "./testing/serve.ts";
import { Refused, SpdyClient, upgrade } from "./testing/spdy-client.ts";

async function ask(url: string, method = "GET"): Promise<{ status: number; text: string }> {
  const asked = request(url, { method }).end();
  const [response] = await once(asked, "response");
  return {
    status: response.statusCode,
    text: Buffer.concat(await response.toArray())
      .toString()
      .trim(),
  };
}

const refused = (status: number) => (error: unknown) => error instanceof Refused && error.status === status;
const spdy = { Upgrade: "SPDY/3.1", "X-Stream-Protocol-Version": "v4.channel.k8s.io" };

describe("the streaming server", { timeout: 30_000 }, () => {
  it("gives out URLs with the port that it got, only while it runs", async () => {
    const server = createStreamingServer({
      address: "127.0.0.1",
      port: 0,
      backend: manualBackend(),
      log: silentLogger,
    });
    const unavailable = (error: unknown) => isFault(error, "unavailable");
    assert.throws(() => server.execUrl(execRequest("stdout")), unavailable);
    await server.start();
    assert.match(server.execUrl(execRequest("stdout")), /^http:\/\/127\.0\.0\.1:\d{2,5}\/exec\/[\w-]{8}$/);
    assert.match(server.attachUrl(execRequest("stdout")), /\/attach\/[\w-]{8}$/);
    assert.match(server.portForwardUrl({ podId: "p" }), /\/portforward\/[\w-]{8}$/);
    await server.stop();
    assert.throws(() => server.execUrl(execRequest("stdout")), unavailable);
  });

  it("listens on IPv6 too", async () => {
    await using server = await serve(manualBackend(), { address: "::1" });
    assert.match(server.baseUrl, /^http:\/\/\[::1\]:\d+$/);
    assert.equal((await ask(server.execUrl(execRequest("stdout")))).status, 400);
  });

  it("says why it cannot listen", async () => {
    await using server = await serve({});
    const port = Number(new URL(server.baseUrl).port);
    const second = createStreamingServer({ address: "127.0.0.1", port, backend: manualBackend(), log: silentLogger });
    await assert.rejects(second.start(), /listening on 127\.0\.0\.1:\d+ for exec.*EADDRINUSE/);
    await second.stop();
  });

  it("knows no other paths, methods and uses than its own", async () => {
    await using server = await serve({});
    const url = () => server.execUrl(execRequest("stdout"));
    const base = server.baseUrl;
    for (const path of [
      "/",
      "/exec",
      "/exec/",
      "/exec/AAAAAAAA",
      "/exec/../etc",
      "/attach/AAAAAAAAA",
      "/%65xec/AAAAAAAA",
    ]) {
      assert.equal((await ask(`${base}${path}`)).status, 404, path);
      await assert.rejects(upgrade(`${base}${path}`, spdy), refused(404), path);
    }
    assert.deepEqual(await ask(url()), { status: 400, text: "unable to upgrade: missing upgrade headers in request" });
    await assert.rejects(upgrade(url(), { ...spdy, Upgrade: "h2c" }), refused(400));
    for (const method of ["PUT", "DELETE", "HEAD", "OPTIONS"])
      assert.equal((await ask(url(), method)).status, 405, method);
    await assert.rejects(upgrade(url().replace("exec", "attach"), spdy), refused(404));
  });

  it("serves a URL once, whether by GET or POST, and not when its time is over", async () => {
    const backend = manualBackend();
    await using server = await serve(backend, { tokenTtlMs: 200 });
    for (const method of ["GET", "POST"]) {
      const url = server.execUrl(execRequest("stdout"));
      const client = new SpdyClient(await upgrade(`${url}?ignored=1`, spdy, method));
      await client.openCommand("stdout");
      (await backend.next()).exit(0);
      await client.closed;
      await assert.rejects(upgrade(url, spdy), refused(404));
    }
    const late = server.execUrl(execRequest("stdout"));
    await new Promise((resolve) => setTimeout(resolve, 250));
    await assert.rejects(upgrade(late, spdy), refused(404));
  });

  it("gives out a thousand URLs at most, until some are used or too old", async () => {
    await using server = await serve({}, { maxWaiting: 1000 });
    const urls = Array.from({ length: 1000 }, () => server.portForwardUrl({ podId: "p" }));
    assert.throws(
      () => server.attachUrl(execRequest("stdout")),
      (error) => isFault(error, "exhausted"),
    );
    await ask(urls[0] ?? "");
    server.attachUrl(execRequest("stdout"));
  });

  it("serves so many clients at once, and the next one when there is room", async () => {
    const backend = manualBackend();
    await using server = await serve(backend, { maxSessions: 1 });
    const first = await SpdyClient.connect(server.execUrl(execRequest("stdout")));
    const url = server.execUrl(execRequest("stdout"));
    await assert.rejects(SpdyClient.connect(url), refused(429));
    await first.openCommand("stdout");
    (await backend.next()).exit(0);
    await first.closed;
    const second = await SpdyClient.connect(url);
    second.vanish();
  });

  it("reads what a client sends along with its request", async () => {
    const backend = manualBackend();
    await using server = await serve(backend);
    const { host, pathname } = new URL(server.execUrl(execRequest("stdin stdout")));
    const socket = connect(Number(host.split(":")[1]), "127.0.0.1");
    const head = `POST ${pathname} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n`;
    const frames: Buffer[] = [];
    const collecting = Object.assign(connect(Number(host.split(":")[1]), "127.0.0.1"), {
      write: (bytes: Buffer) => frames.push(bytes) > 0,
    });
    const dry = new SpdyClient(collecting);
    for (const type of ["error", "stdin", "stdout"]) await dry.open({ streamtype: type });
    dry.vanish();
    socket.write(Buffer.concat([Buffer.from(head), ...frames]));
    (await backend.next()).exit(0);
    socket.destroy();
  });

  it("waits for nobody who says nothing, or half a request", async () => {
    await using server = await serve({});
    const port = Number(new URL(server.baseUrl).port);
    const sockets = ["", "GET /exec/AAAAAAAA HTTP/1.1\r\n"].map((text) => {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => {});
      socket.write(text);
      return socket;
    });
    await Promise.all(sockets.map((socket) => once(socket, "connect")));
    const begun = performance.now();
    await server.stop();
    assert.ok(performance.now() - begun < 4000);
    for (const socket of sockets) socket.destroy();
  });

  it("ends its sessions when it stops, and tells the backend", async () => {
    const backend = manualBackend();
    const server = await serve(backend);
    const client = await SpdyClient.connect(server.execUrl(execRequest("stdin stdout")));
    await client.openCommand("stdin", "stdout");
    const { session, fail } = await backend.next();
    const stopped = server.stop();
    const reason = await aborted(session.signal);
    assert.match(String(reason), /the streaming server stops/);
    fail(new Error("ended"));
    await Promise.all([stopped, client.closed]);
  });

  it("serves 200 sessions at once and has nothing open afterwards", async () => {
    const backend = manualBackend();
    await using server = await serve({ ...backend, portForward: echo });
    const before = openFiles();
    const sessions = Array.from({ length: 200 }, async (_, index) => {
      const client = await SpdyClient.connect(server.execUrl(execRequest("stdin stdout", [String(index)])));
      const { stdin, stdout, error } = await client.openCommand("stdin", "stdout");
      const { session, exit } = await backend.next();
      if (stdin) client.data(stdin, `input of ${index}`, true);
      for await (const bytes of session.stdin ?? []) session.stdout?.write(bytes);
      exit(0);
      if (index % 3 === 0) return client.vanish();
      await Promise.all([stdout?.ended, error?.ended, client.closed]);
    });
    await Promise.all(sessions);
    await eventually(() => openFiles() <= before, "descriptors are back to where they were");
  });

  it("outlives clients that send rubbish", async () => {
    await using server = await serve({});
    const port = Number(new URL(server.baseUrl).port);
    for (const rubbish of [
      "\0\0\0\0",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      `GET /${"x".repeat(100_000)}`,
      "\x16\x03\x01\x02\x00\x01",
    ]) {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => {});
      socket.resume();
      const closed = new Promise((resolve) => socket.once("close", resolve));
      socket.end(rubbish);
      await closed;
    }
    assert.equal((await ask(`${server.baseUrl}/`)).status, 404);
  });
});
