/** The streaming server over TLS: client certificates, versions, ciphers, and certificates that are renewed. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { createLogger, silentLogger } from "../../src/base/index.ts";
import type { TlsOptions } from "../../src/host/index.ts";
import { type TestCertificate, testCertificate } from "../../src/registry/testing/certificate.ts";
import { createStreamingServer, type StreamingServer } from "../../src/streaming/index.ts";
import { manualBackend } from "../../src/streaming/testing/serve.ts";

interface Served extends AsyncDisposable {
  readonly server: StreamingServer;
  readonly log: readonly string[];
  /** Writes a file of the server's TLS beside the old one and puts it in its place. */
  put(name: "cert" | "key" | "ca", text: string): Promise<void>;
}

async function serve(certificate: TestCertificate, more: Partial<TlsOptions> & { ca?: string } = {}): Promise<Served> {
  const dir = await mkdtemp(join(tmpdir(), "streaming-tls-"));
  const log: string[] = [];
  const put = async (name: string, text: string) => {
    await writeFile(join(dir, `${name}.new`), text);
    await rename(join(dir, `${name}.new`), join(dir, name));
  };
  const { ca, ...options } = more;
  await put("cert", certificate.cert);
  await put("key", certificate.key);
  if (ca !== undefined) await put("ca", ca);
  const server = createStreamingServer({
    address: "127.0.0.1",
    port: 0,
    backend: manualBackend(),
    log: createLogger({ level: () => "info", format: "text", write: (line) => log.push(line) }),
    tls: {
      what: "the streaming server",
      certificateFile: join(dir, "cert"),
      keyFile: join(dir, "key"),
      ...(ca === undefined ? {} : { clientCaFile: join(dir, "ca") }),
      ...options,
    },
  });
  const remove = () => rm(dir, { recursive: true });
  await server.start().catch(async (error) => {
    await remove();
    throw error;
  });
  return {
    server,
    log,
    put,
    async [Symbol.asyncDispose]() {
      await server.stop();
      await remove();
    },
  };
}

async function shake({ server }: Served, options: ConnectionOptions): Promise<TLSSocket> {
  const socket = connect({ host: "127.0.0.1", port: Number(new URL(server.baseUrl).port), ...options });
  await once(socket, "secureConnect");
  return socket;
}

/** The first words of the server's answer; undefined when it hung up instead. */
async function answer(served: Served, options: ConnectionOptions): Promise<string | undefined> {
  try {
    const socket = await shake(served, options);
    socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    const hungUp = once(socket, "close").then(() => undefined);
    const bytes = await Promise.race([once(socket, "data").then(([first]) => first), hungUp]);
    socket.destroy();
    return bytes?.toString().slice(0, 12);
  } catch {
    return undefined;
  }
}

async function eventually(isSo: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + 10_000;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`still not so after 10 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const first = testCertificate(["127.0.0.1"]);
const second = testCertificate(["127.0.0.1"]);
const client = testCertificate(["client"]);
const stranger = testCertificate(["stranger"]);
const found = "HTTP/1.1 404";

describe("the streaming server over TLS", { timeout: 60_000 }, () => {
  it("gives out https URLs and serves them", async () => {
    await using served = await serve(first);
    assert.match(served.server.portForwardUrl({ podId: "p" }), /^https:\/\/127\.0\.0\.1:\d+\/portforward\//);
    assert.equal(await answer(served, { ca: first.cert }), found);
  });

  it("takes clients with a certificate of the given authority alone, also when that is another one now", async () => {
    await using served = await serve(first, { ca: client.cert });
    assert.equal(await answer(served, { ca: first.cert, ...client }), found);
    assert.equal(await answer(served, { ca: first.cert, ...stranger }), undefined);
    assert.equal(await answer(served, { ca: first.cert }), undefined);
    await served.put("ca", stranger.cert);
    const isKnown = async () => (await answer(served, { ca: first.cert, ...stranger })) === found;
    await eventually(isKnown, "the new authority counts");
    assert.equal(await answer(served, { ca: first.cert, ...client }), undefined);
  });

  it("keeps to its versions and ciphers", async () => {
    await using modern = await serve(first, { minVersion: "TLSv1.3" });
    assert.equal(await answer(modern, { ca: first.cert, maxVersion: "TLSv1.2" }), undefined);
    await using narrow = await serve(first, { ciphers: ["ECDHE-ECDSA-AES256-GCM-SHA384"] });
    const old = (ciphers: string): ConnectionOptions => ({ ca: first.cert, maxVersion: "TLSv1.2", ciphers });
    assert.equal(await answer(narrow, old("ECDHE-ECDSA-AES128-GCM-SHA256")), undefined);
    assert.equal(await answer(narrow, old("ECDHE-ECDSA-AES256-GCM-SHA384")), found);
    const newest = await shake(narrow, { ca: first.cert });
    assert.equal(newest.getProtocol(), "TLSv1.3");
    newest.destroy();
    await using usual = await serve(first);
    assert.equal(await answer(usual, { ca: first.cert, maxVersion: "TLSv1.1", minVersion: "TLSv1" }), undefined);
  });

  it("uses a renewed certificate once its key has come too, and keeps connections that stand", async () => {
    await using served = await serve(first);
    const standing = await shake(served, { ca: first.cert });
    await served.put("cert", second.cert);
    const complained = () => served.log.some((line) => /level=warning.*not reloaded/.test(line));
    await eventually(complained, "it says that they do not fit");
    assert.equal(await answer(served, { ca: first.cert }), found);
    await served.put("key", second.key);
    await eventually(async () => (await answer(served, { ca: second.cert })) === found, "the new certificate is used");
    assert.equal(await answer(served, { ca: first.cert }), undefined);
    assert.ok(!standing.destroyed);
    standing.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await once(standing, "data");
    standing.destroy();
  });

  it("does not start with files that are missing or do not fit", async () => {
    await assert.rejects(serve({ cert: first.cert, key: second.key }), /loading the certificate .* and the key/);
    const server = createStreamingServer({
      address: "127.0.0.1",
      port: 0,
      backend: manualBackend(),
      log: silentLogger,
      tls: { what: "the streaming server", certificateFile: "/nonexistent/cert", keyFile: "/nonexistent/key" },
    });
    await assert.rejects(server.start(), /ENOENT/);
    await server.stop();
  });
});
