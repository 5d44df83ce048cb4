import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { Agent, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { httpRequest } from "./http.ts";

const patience = { connectTimeoutMs: 10_000, stallTimeoutMs: 10_000 };
const signal = new AbortController().signal;

describe("a connection that serves many requests", () => {
  it("gives every body as it was sent, whole or in chunks, and keeps nothing of any", async () => {
    const bodies = Array.from({ length: 15 }, (_, at) => randomBytes(1 + at * 60_000));
    const server = createServer((request, response) => {
      const body = bodies[Number(request.url?.slice(1))] ?? Buffer.alloc(0);
      if (body.length % 2 === 0) response.setHeader("content-length", body.length);
      response.end(body);
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo; // it listens on TCP
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    try {
      for (const [at, body] of bodies.entries()) {
        const url = new URL(`http://127.0.0.1:${port}/${at}`);
        const response = await httpRequest(url, { method: "GET", headers: {}, agent, patience, signal });
        const parts: Uint8Array[] = [];
        for await (const part of response.body) parts.push(part);
        assert.ok(Buffer.concat(parts).equals(body), `body ${at}`);
      }
      const sockets = Object.values(agent.freeSockets).flatMap((free) => free ?? []);
      assert.equal(sockets.length, 1);
      assert.equal(sockets[0]?.listenerCount("data"), 0);
    } finally {
      agent.destroy();
      server.close();
    }
  });
});
