import assert from "node:assert/strict";
import { once } from "node:events";
import { Readable } from "node:stream";
import { describe, it } from "node:test";
import { type FaultCode, isFault } from "../base/index.ts";
import { digestOf } from "../oci/index.ts";
import type { RegistrySource } from "./source.ts";
import { collect, imageAt, request, type TestClient, testClient } from "./testing/client.ts";
import { FaultyRegistry, type Handler, resetAfter, sendError, stallAfter } from "./testing/faulty-registry.ts";

const bytes = Buffer.from(Array.from({ length: 200_000 }, (_, index) => (index * 7 + (index >> 8)) & 255));
const wanted = { digest: digestOf(bytes), size: bytes.byteLength };
const url = new RegExp(wanted.digest);

interface Bench extends AsyncDisposable {
  readonly registry: FaultyRegistry;
  readonly client: TestClient;
  readonly source: RegistrySource;
  download(): Promise<Buffer>;
}

/** An image whose layer is about to be downloaded. */
async function bench(limits: object = {}): Promise<Bench> {
  const registry = await FaultyRegistry.start();
  const client = testClient([registry.host], { limits });
  registry.putImage("team/app", "v1", [bytes]);
  const { source } = await client.resolve(imageAt(registry.host), request());
  return {
    registry,
    client,
    source,
    download: () => collect(client.blob(source, wanted, request())),
    async [Symbol.asyncDispose]() {
      client.close();
      await registry[Symbol.asyncDispose]();
    },
  };
}

async function refuses(code: FaultCode, words: RegExp, ...handlers: readonly Handler[]): Promise<void> {
  await using at = await bench();
  for (const handler of handlers) at.registry.trap(url, handler);
  await assert.rejects(at.download(), (error) => {
    assert.ok(isFault(error, code), String(error));
    assert.match(error.message, words);
    return true;
  });
}

describe("blob", () => {
  it("streams the bytes and tells how many", async () => {
    await using at = await bench();
    let told = 0;
    const options = { ...request(), onBytes: (count: number) => (told += count) };
    assert.deepEqual(await collect(at.client.blob(at.source, wanted, options)), bytes);
    assert.equal(told, bytes.byteLength);
    assert.equal(at.registry.openSockets, 1, "the connection is kept for the next blob");
  });

  it("needs no network for a blob without bytes", async () => {
    await using at = await bench();
    const empty = { digest: digestOf(Buffer.alloc(0)), size: 0 };
    assert.equal((await collect(at.client.blob(at.source, empty, request()))).byteLength, 0);
    await assert.rejects(collect(at.client.blob(at.source, { ...empty, digest: wanted.digest }, request())), /digest/);
    assert.equal(at.registry.countOf(url), 0);
  });

  it("resumes where a broken connection stopped", async () => {
    await using at = await bench();
    at.registry.trap(url, resetAfter(bytes, 50_000));
    assert.deepEqual(await at.download(), bytes);
    const ranges = at.registry.seen.filter((seen) => url.test(seen.url)).map(({ range }) => range);
    assert.equal(ranges.length, 2);
    assert.match(ranges[1] ?? "", /^bytes=[1-9][0-9]*-$/);
  });

  it("resumes after a stall and after a connection that ends early without a length", async () => {
    await using at = await bench({ stallTimeoutMs: 100 });
    at.registry.trap(url, stallAfter(bytes, 10_000));
    at.registry.trap(url, ({ socket }) => {
      socket.end(
        Buffer.concat([Buffer.from("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"), bytes.subarray(0, 30_000)]),
      );
    });
    assert.deepEqual(await at.download(), bytes);
    assert.equal(at.registry.countOf(url), 3);
  });

  it("skips what it has when the registry ignores ranges", async () => {
    await using at = await bench();
    at.registry.servesRanges = false;
    at.registry.trap(url, resetAfter(bytes, 120_000));
    assert.deepEqual(await at.download(), bytes);
  });

  it("goes on as long as there is progress, and not without", async () => {
    await using at = await bench({ progressBytes: 1000, attempts: 2 });
    const stepwise: Handler = (incoming, response) => {
      const start = Number(/^bytes=([0-9]+)-$/.exec(incoming.headers.range ?? "")?.[1] ?? 0);
      response.writeHead(start === 0 ? 200 : 206, {
        "content-length": bytes.byteLength - start,
        ...(start > 0 && { "content-range": `bytes ${start}-${bytes.byteLength - 1}/${bytes.byteLength}` }),
      });
      response.write(bytes.subarray(start, start + 20_000), () =>
        setImmediate(() => incoming.socket.resetAndDestroy()),
      );
    };
    at.registry.trap(url, stepwise, 100);
    assert.deepEqual(await at.download(), bytes);
    await using stuck = await bench({ attempts: 3 });
    stuck.registry.trap(url, resetAfter(bytes, 0), 100);
    await assert.rejects(stuck.download(), (error) => isFault(error, "failed"));
    assert.equal(stuck.registry.countOf(url), 3);
  });

  it("says how a connection broke", async () => {
    const ways: readonly (readonly [words: RegExp, handler: Handler])[] = [
      [/: the connection was closed in the middle of the answer/, resetAfter(bytes, 10)],
      [/: the connection was closed before an answer came/, ({ socket }) => socket.end()],
      [/: the connection was reset \(read ECONNRESET\)/, ({ socket }) => socket.resetAndDestroy()],
    ];
    for (const [words, handler] of ways) {
      await using at = await bench({ attempts: 2 });
      at.registry.trap(url, handler, 2);
      await assert.rejects(at.download(), words);
    }
  });

  it("obeys Retry-After within bounds", async () => {
    await using at = await bench();
    at.registry.trap(url, (_request, response) =>
      sendError(response, 429, "TOOMANYREQUESTS", "x", { "retry-after": "3600" }),
    );
    at.registry.trap(url, (_request, response) =>
      sendError(response, 503, "UNAVAILABLE", "x", { "retry-after": "Wed, 21 Oct 2999 07:28:00 GMT" }),
    );
    assert.deepEqual(await at.download(), bytes);
  });

  it("refuses flipped bits", async () => {
    const flipped = Buffer.from(bytes);
    flipped[100_000] = 255 - (flipped[100_000] ?? 0);
    await refuses("corrupt", /the digest of what came is/, (_request, response) => {
      response.writeHead(200, { "content-length": flipped.byteLength }).end(flipped);
    });
  });

  it("refuses a length that is not the descriptor's before reading anything", async () => {
    for (const length of [bytes.byteLength + 1, bytes.byteLength - 1, 0]) {
      await refuses("corrupt", /bytes, not 200000/, (_request, response) => {
        response.writeHead(200, { "content-length": length });
        response.flushHeaders();
      });
    }
  });

  it("stops at the first byte too many", async () => {
    await using at = await bench();
    const closed = Promise.withResolvers<void>();
    at.registry.trap(url, (_request, response) => {
      response.on("close", () => closed.resolve());
      const pour = () => {
        while (!response.destroyed && response.write(bytes));
      };
      response.on("drain", pour);
      pour();
    });
    await assert.rejects(at.download(), (error) => isFault(error, "corrupt") && /more than 200000/.test(error.message));
    await closed.promise;
  });

  it("refuses answers to another range", async () => {
    const part =
      (range: string, status = 206): Handler =>
      (_request, response) => {
        response.writeHead(status, { "content-range": range }).end(bytes.subarray(5));
      };
    for (const range of ["bytes 5-199999/200000", "bytes 0-199999/200001", "bytes -", "x", "bytes 1e3-2/*"]) {
      await refuses("failed", /another range/, part(range));
    }
    await refuses("failed", /status 416/, resetAfter(bytes, 50_000), (_request, response) =>
      response.writeHead(416).end(),
    );
  });

  it("says that a blob is missing", async () => {
    await refuses("not-found", /blob unknown/, (_request, response) => response.writeHead(404).end());
  });

  it("takes bytes only as fast as they are read, and takes no offence at a slow reader", async (test) => {
    await using at = await bench();
    const large = Buffer.alloc(64 * 1024 * 1024);
    const descriptor = { digest: digestOf(large), size: large.byteLength };
    let sent = 0;
    const isFull = Promise.withResolvers<void>();
    at.registry.trap(new RegExp(descriptor.digest), (_request, response) => {
      response.writeHead(200, { "content-length": large.byteLength });
      const send = () => {
        while (sent < large.byteLength) {
          const chunk = large.subarray(sent, sent + 65_536);
          sent += chunk.byteLength;
          if (!response.write(chunk)) return void response.once("drain", send);
        }
        response.end();
      };
      send();
      const watch = setInterval(() => {
        if (!response.writableNeedDrain) return;
        clearInterval(watch);
        isFull.resolve();
      }, 5);
    });
    test.mock.timers.enable({ apis: ["setTimeout"] });
    const reader = at.client.blob(at.source, descriptor, request())[Symbol.asyncIterator]();
    assert.equal((await reader.next()).done, false);
    await isFull.promise;
    test.mock.timers.tick(3_600_000);
    assert.ok(sent < 32 * 1024 * 1024, `${sent} bytes were taken without a reader`);
    let total = 0;
    for (let next = await reader.next(); next.done !== true; next = await reader.next()) total += next.value.byteLength;
    assert.ok(total > 0);
  });

  it("does not take the reader's failures for the registry's", async () => {
    await using at = await bench();
    const mine = new Error("disk full");
    const fail = () => {
      throw mine;
    };
    const told = collect(at.client.blob(at.source, wanted, { ...request(), onBytes: fail }));
    await assert.rejects(told, (error) => error === mine);
    const stream = Readable.from(at.client.blob(at.source, wanted, request()));
    stream.once("data", () => stream.destroy(mine));
    await assert.rejects(once(stream, "close"), (error) => error === mine);
    assert.equal(at.registry.countOf(url), 2);
  });

  it("closes the connection at once when the signal aborts or the reader leaves", async () => {
    await using at = await bench();
    for (const leave of ["abort", "return"] as const) {
      const controller = new AbortController();
      const closed = Promise.withResolvers<void>();
      at.registry.trap(url, (incoming, response) => {
        once(incoming.socket, "close").then(() => closed.resolve());
        stallAfter(bytes, 1000)(incoming, response);
      });
      const reader = at.client.blob(at.source, wanted, { signal: controller.signal })[Symbol.asyncIterator]();
      await reader.next();
      if (leave === "return") await reader.return?.();
      else {
        const going = reader.next();
        const reason = new Error("enough");
        controller.abort(reason);
        await assert.rejects(going, (error) => error === reason);
      }
      await closed.promise;
    }
  });
});
