import assert from "node:assert/strict";
import { once } from "node:events";
import type { Duplex } from "node:stream";
import { describe, it } from "node:test";
import type { ForwardRequest, StreamingBackend } from "../backend.ts";
import { aborted, echo, eventually, serve, textOf } from "../testing/serve.ts";
import { type ClientSide, SpdyClient } from "../testing/spdy-client.ts";
import { resetStatus, rstStreamFrame } from "./frame.ts";

type PortForward = StreamingBackend["portForward"];

async function begin(portForward: PortForward, options = {}) {
  const server = await serve({ portForward }, options);
  const client = await SpdyClient.connect(server.portForwardUrl({ podId: "p1" }), ["portforward.k8s.io"]);
  return Object.assign(server, { client });
}

/** Opens the two streams of a connection, in kubectl's order. */
async function connect(
  client: SpdyClient,
  port: string,
  id?: string,
): Promise<{ error: ClientSide; data: ClientSide }> {
  const headers = { port, ...(id === undefined ? {} : { requestid: id }) };
  const error = await client.open({ streamtype: "error", ...headers });
  client.data(error, "", true);
  return { error, data: await client.open({ streamtype: "data", ...headers }) };
}

describe("port-forward over SPDY", { timeout: 30_000 }, () => {
  it("carries connections, each with its own ends", async () => {
    const requests: ForwardRequest[] = [];
    await using served = await begin(async (request, connection) => {
      requests.push(request);
      await echo(request, connection);
    });
    const { client } = served;
    const pairs = await Promise.all([connect(client, "80", "0"), connect(client, "81", "1")]);
    for (const [index, { data, error }] of pairs.entries()) {
      client.data(data, `hello ${index}`);
      client.data(data, "", true);
      await Promise.all([data.ended, error.ended]);
      assert.equal(data.text(), `hello ${index}`);
      assert.equal(error.text(), "");
    }
    assert.deepEqual(requests, [
      { podId: "p1", port: 80 },
      { podId: "p1", port: 81 },
    ]);
    client.vanish();
  });

  it("answers a client that ended its side long ago", async () => {
    await using served = await begin(async (_request, connection) => {
      connection.end(`answer to ${await textOf(connection)}`);
    });
    const { data } = await connect(served.client, "80", "0");
    served.client.data(data, "question", true);
    await data.ended;
    assert.equal(data.text(), "answer to question");
    served.client.vanish();
  });

  it("lets the pod end first, and takes what the client still sends", async () => {
    const rest = Promise.withResolvers<string>();
    await using served = await begin(async (_request, connection) => {
      connection.end("bye");
      rest.resolve(await textOf(connection));
    });
    const { data } = await connect(served.client, "80", "0");
    await data.ended;
    served.client.data(data, "last words", true);
    assert.equal(await rest.promise, "last words");
    served.client.vanish();
  });

  it("knows the pairs of clients that send no request id", async () => {
    await using served = await begin(echo);
    const { data } = await connect(served.client, "80");
    served.client.data(data, "x", true);
    await data.ended;
    assert.equal(data.text(), "x");
    served.client.vanish();
  });

  it("tells the client what went wrong, on that connection alone", async () => {
    await using served = await begin(async (request, connection) => {
      if (request.port === 1) throw new Error("connect ECONNREFUSED");
      await echo(request, connection);
    });
    const { client } = served;
    const [broken, sound] = [await connect(client, "1", "0"), await connect(client, "2", "1")];
    await Promise.all([broken.error.ended, broken.data.reset]);
    assert.equal(broken.error.text(), "error forwarding port 1 to pod p1, uid : connect ECONNREFUSED");
    client.data(sound.data, "x", true);
    await sound.data.ended;
    client.vanish();
  });

  it("refuses streams without a port, with a wrong one, of another type, or twice", async () => {
    await using served = await begin(echo);
    const { client } = served;
    for (const headers of [
      { streamtype: "data" },
      { streamtype: "data", port: "0" },
      { streamtype: "data", port: "65536" },
      { streamtype: "data", port: "0x50" },
      { streamtype: "data", port: "80 " },
      { streamtype: "stdin", port: "80" },
      { port: "80" },
    ]) {
      await (await client.open(headers as Record<string, string>)).reset;
    }
    await client.open({ streamtype: "error", port: "80", requestid: "7" });
    await (await client.open({ streamtype: "error", port: "80", requestid: "7" })).reset;
    client.vanish();
  });

  it("gives up on a pair whose second stream does not come", async () => {
    await using served = await begin(echo, { creationTimeoutMs: 50 });
    const error = await served.client.open({ streamtype: "error", port: "80", requestid: "0" });
    await error.ended;
    assert.match(error.text(), /timed out waiting for streams/);
    served.client.vanish();
  });

  it("tells the backend when the client resets a connection, or leaves", async () => {
    const calls: { signal: AbortSignal; connection: Duplex; settle: () => void }[] = [];
    await using served = await begin(async (_request, connection, signal) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      calls.push({ signal, connection, settle: resolve });
      await promise;
    });
    const { client } = served;
    const first = await connect(client, "80", "0");
    await connect(client, "80", "1");
    await eventually(() => calls.length === 2, "both began");
    client.write(rstStreamFrame(first.data.id, resetStatus.cancel));
    const [one, two] = calls;
    assert.ok(one && two);
    await aborted(one.signal);
    assert.ok(!two.signal.aborted);
    client.vanish();
    await aborted(two.signal);
    for (const call of calls) call.settle();
  });

  it("lets a client have only so many connections, those counted with which the backend is not done", async () => {
    const settle: (() => void)[] = [];
    await using served = await begin(async () => {
      await new Promise<void>((resolve) => settle.push(resolve));
    });
    const { client } = served;
    let refused = 0;
    for (let index = 0; index < 600; index++) {
      const error = await client.open({ streamtype: "error", port: "80", requestid: String(index) });
      const data = await client.open({ streamtype: "data", port: "80", requestid: String(index) });
      void error.reset.then(() => refused++);
      client.write(
        Buffer.concat([rstStreamFrame(data.id, resetStatus.cancel), rstStreamFrame(error.id, resetStatus.cancel)]),
      );
    }
    await eventually(() => refused >= 100, "the rest was refused");
    assert.ok(settle.length <= 500);
    client.vanish();
    for (const each of settle) each();
  });

  it("carries one connection while another stands still, as long as it is not full", async () => {
    await using served = await begin(async (request, connection, signal) => {
      if (request.port === 1) await once(signal, "abort");
      else await echo(request, connection);
    });
    const { client } = served;
    const still = await connect(client, "1", "0");
    client.data(still.data, Buffer.alloc(200_000));
    const moving = await connect(client, "2", "1");
    for (let index = 0; index < 50; index++) client.data(moving.data, Buffer.alloc(100_000, index));
    client.data(moving.data, "", true);
    await moving.data.ended;
    assert.equal(
      moving.data.chunks.reduce((sum, { length }) => sum + length, 0),
      5_000_000,
    );
    client.vanish();
  });
});
