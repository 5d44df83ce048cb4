import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Fault } from "../../base/index.ts";
import { aborted, eventually, execRequest, manualBackend, serve } from "../testing/serve.ts";
import { Refused, SpdyClient } from "../testing/spdy-client.ts";
import { flag, frameType, goAwayFrame, resetStatus, rstStreamFrame } from "./frame.ts";

async function begin(streams: string, protocols?: readonly string[], options = {}) {
  const backend = manualBackend();
  const server = await serve(backend, options);
  const client = await SpdyClient.connect(server.execUrl(execRequest(streams, ["cmd", "arg"])), protocols);
  return Object.assign(server, { backend, client });
}

describe("a command over SPDY", { timeout: 30_000 }, () => {
  it("gets its streams, and the client its output and exit code", async () => {
    await using served = await begin("stdin stdout stderr");
    const { client, backend } = served;
    const sides = await client.openCommand("stdin", "stdout", "stderr");
    const { session, request, exit } = await backend.next();
    assert.deepEqual(request?.command, ["cmd", "arg"]);
    assert.ok(sides.error?.replied && sides.stdin && sides.stdout && sides.stderr);
    client.data(sides.stdin, "to the command");
    client.data(sides.stdin, " and the end", true);
    const input = await session.stdin?.toArray();
    assert.equal(Buffer.concat(input ?? []).toString(), "to the command and the end");
    session.stdout?.write("out ");
    session.stderr?.write("err");
    session.stdout?.end("put");
    exit(3);
    await Promise.all([sides.stdout.ended, sides.stderr.ended, sides.error.ended]);
    assert.equal(sides.stdout.text(), "out put");
    assert.equal(sides.stderr.text(), "err");
    assert.equal(JSON.parse(sides.error.text()).details.causes[0].message, "3");
    await client.closed;
    assert.ok(client.control.some(({ type }) => type === frameType.goAway));
  });

  it("speaks the older versions: plain text, and no terminal sizes before the third", async () => {
    for (const [protocols, resizes] of [
      [["v3.channel.k8s.io"], true],
      [["v9.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io"], false],
      [["channel.k8s.io"], false],
      [[], false],
    ] as const) {
      await using served = await begin("tty stdin stdout", protocols);
      const { client, backend } = served;
      const types = ["stdin", "stdout", ...(resizes ? ["resize"] : [])];
      const sides = await client.openCommand(...types);
      const { exit } = await backend.next();
      exit(2);
      await sides.error?.ended;
      assert.equal(sides.error?.text(), "command terminated with non-zero exit code: exit status 2");
    }
  });

  it("passes the terminal's size on", async () => {
    await using served = await begin("tty stdin stdout");
    const { client, backend } = served;
    const sides = await client.openCommand("stdin", "stdout", "resize");
    const { session, exit } = await backend.next();
    if (sides.resize) client.data(sides.resize, '{"Width":132,"Height":43}');
    for await (const size of session.resizes) {
      assert.deepEqual(size, { width: 132, height: 43 });
      break;
    }
    exit(0);
    await sides.error?.ended;
    assert.equal(sides.error?.text(), '{"metadata":{},"status":"Success"}');
  });

  it("tells the client why it could not be run", async () => {
    await using served = await begin("stdout");
    const sides = await served.client.openCommand("stdout");
    (await served.backend.next()).fail(new Fault("not-found", "no container c1"));
    await sides.error?.ended;
    const status = JSON.parse(sides.error?.text() ?? "");
    assert.equal(status.reason, "InternalError");
    assert.equal(status.message, "Internal error occurred: error executing command in container: no container c1");
  });

  it("is told when the client goes away, in any way", async () => {
    for (const leave of [
      (client: SpdyClient) => client.vanish(),
      (client: SpdyClient) => client.socket.resetAndDestroy(),
      (client: SpdyClient) => {
        client.write(goAwayFrame(0, 0));
        client.socket.end();
      },
    ]) {
      await using served = await begin("stdin stdout");
      const { client, backend } = served;
      await client.openCommand("stdin", "stdout");
      const { session, fail } = await backend.next();
      leave(client);
      const reason = await aborted(session.signal);
      assert.ok(reason instanceof Fault && reason.code === "cancelled");
      await eventually(
        () => session.stdin?.destroyed === true && session.stdout?.destroyed === true,
        "streams destroyed",
      );
      fail(reason);
    }
  });

  it("is told when the client went away while nothing of it was being read", async () => {
    await using served = await begin("stdin stdout", undefined, { probeMs: 20 });
    const { client, backend } = served;
    const sides = await client.openCommand("stdin", "stdout");
    const { session, fail } = await backend.next();
    if (sides.stdin) client.data(sides.stdin, Buffer.alloc(8 << 20));
    await eventually(() => client.socket.writableLength > 0, "the server stopped reading");
    client.vanish();
    fail(new Error(String(await aborted(session.signal))));
  });

  it("loses one output when the client resets it, and goes on", async () => {
    await using served = await begin("stdout stderr");
    const { client, backend } = served;
    const { stdout, stderr, error } = await client.openCommand("stdout", "stderr");
    const { session, exit } = await backend.next();
    client.write(rstStreamFrame(stdout?.id ?? 0, resetStatus.cancel));
    await eventually(() => session.stdout?.destroyed === true, "stdout destroyed");
    session.stderr?.write("still here");
    exit(0);
    await error?.ended;
    assert.equal(stderr?.text(), "still here");
    assert.ok(!session.signal.aborted);
  });

  it("takes streams that nobody asked for, and refuses those that it does not know or has", async () => {
    await using served = await begin("stdout");
    const { client, backend } = served;
    const sides = await client.openCommand("stderr", "stdin");
    if (sides.stdin) client.data(sides.stdin, Buffer.alloc(1 << 20));
    const unknown = await client.open({ streamtype: "nonsense" });
    const second = await client.open({ streamtype: "stderr" });
    const nameless = await client.open({}, flag.fin);
    for (const side of [unknown, second, nameless]) await side.reset;
    const stdout = await client.open({ streamtype: "stdout" });
    const { session, exit } = await backend.next();
    assert.equal(session.stdin, undefined);
    assert.equal(session.stderr, undefined);
    session.stdout?.end("out");
    exit(0);
    await stdout.ended;
    assert.equal(stdout.text(), "out");
  });

  it("is not begun for a client that does not open its streams in time", async () => {
    await using served = await begin("stdin stdout", undefined, { creationTimeoutMs: 50 });
    await served.client.open({ streamtype: "error" });
    await served.client.closed;
  });

  it("ends when nothing was sent for too long", async () => {
    await using served = await begin("stdin stdout", undefined, { idleTimeoutMs: 100 });
    const { client, backend } = served;
    await client.openCommand("stdin", "stdout");
    const { session, fail } = await backend.next();
    const reason = await aborted(session.signal);
    assert.ok(reason instanceof Fault && reason.code === "deadline");
    fail(reason);
    await client.closed;
  });

  it("is not idle while something is sent", async () => {
    await using served = await begin("stdin stdout", undefined, { idleTimeoutMs: 400 });
    const { client, backend } = served;
    const { stdin } = await client.openCommand("stdin", "stdout");
    const { session, exit } = await backend.next();
    for (let index = 0; index < 12; index++) {
      await new Promise((resolve) => setTimeout(resolve, 60));
      if (index % 2 === 0 && stdin) client.data(stdin, "x");
      else session.stdout?.write("x");
    }
    assert.ok(!session.signal.aborted);
    exit(0);
    await client.closed;
  });

  it("refuses versions that nobody speaks", async () => {
    const backend = manualBackend();
    await using server = await serve(backend);
    const url = server.execUrl(execRequest("stdout"));
    await assert.rejects(SpdyClient.connect(url, ["v9.channel.k8s.io"]), (error: unknown) => {
      assert.ok(error instanceof Refused && error.status === 403);
      assert.match(error.message, /client supports \[v9.channel.k8s.io\], server accepts \[v4/);
      assert.match(String(error.headers["x-accepted-stream-protocol-versions"]), /v4\.channel\.k8s\.io/);
      return true;
    });
  });

  it("attaches in the same way", async () => {
    const backend = manualBackend();
    await using server = await serve(backend);
    const client = await SpdyClient.connect(server.attachUrl(execRequest("stdout")));
    const sides = await client.openCommand("stdout");
    (await backend.next()).fail(new Error("container is not created or running"));
    await sides.error?.ended;
    assert.match(sides.error?.text() ?? "", /error attaching to container: container is not created or running/);
  });
});
