import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { type TestCertificate, testCertificate } from "./testing/certificate.ts";
import { imageAt, request, testClient } from "./testing/client.ts";
import { FaultyRegistry } from "./testing/faulty-registry.ts";

interface CertsDir extends AsyncDisposable {
  readonly path: string;
  put(host: string, files: Readonly<Record<string, string>>): Promise<void>;
}

async function certsDir(): Promise<CertsDir> {
  const path = await mkdtemp(join(tmpdir(), "certs-"));
  return {
    path,
    async put(host, files) {
      await mkdir(join(path, host), { recursive: true });
      for (const [name, text] of Object.entries(files)) await writeFile(join(path, host, name), text);
    },
    [Symbol.asyncDispose]: () => rm(path, { recursive: true }),
  };
}

const certificate = testCertificate(["127.0.0.1", "registry.test"]);

describe("TLS", () => {
  it("is verified: an unknown CA is refused with a word on certs.d, and trusted once it is there", async () => {
    await using dir = await certsDir();
    await using registry = await FaultyRegistry.start(certificate);
    registry.putImage("team/app", "v1");
    using client = testClient([], { certsDirs: [dir.path] });
    await assert.rejects(
      client.resolve(imageAt(registry.host), request()),
      (error) => isFault(error, "failed") && /self-signed certificate; put its CA into certs\.d/.test(error.message),
    );
    assert.equal(registry.seen.length, 0);
    await dir.put(registry.host, { "ca.crt": certificate.cert });
    assert.ok(await client.resolve(imageAt(registry.host), request()));
  });

  it("trusts the system's CAs", async () => {
    await using dir = await certsDir();
    await dir.put("system", { "bundle.pem": certificate.cert });
    await using registry = await FaultyRegistry.start(certificate);
    registry.putImage("team/app", "v1");
    using client = testClient([], { env: { SSL_CERT_FILE: join(dir.path, "system/bundle.pem") } });
    assert.ok(await client.resolve(imageAt(registry.host), request()));
  });

  it("refuses a certificate of another name", async () => {
    await using dir = await certsDir();
    const other = testCertificate(["other.test"]);
    await using registry = await FaultyRegistry.start(other);
    await dir.put(registry.host, { "ca.crt": other.cert });
    using client = testClient([], { certsDirs: [dir.path] });
    await assert.rejects(client.resolve(imageAt(registry.host), request()), /altnames/);
  });

  it("shows client certificates to the registry, and to nobody it redirects to", async () => {
    await using dir = await certsDir();
    const me = testCertificate(["me.test"]);
    await using registry = await FaultyRegistry.start({ ...certificate, clientCa: me.cert });
    await using elsewhere = await FaultyRegistry.start({ ...certificate, clientCa: me.cert });
    registry.putImage("team/app", "v1");
    using client = testClient([], { certsDirs: [dir.path] });
    await dir.put(registry.host, { "ca.crt": certificate.cert });
    await assert.rejects(client.resolve(imageAt(registry.host), request()));
    await dir.put(registry.host, { "me.cert": me.cert, "me.key": me.key });
    assert.ok(await client.resolve(imageAt(registry.host), request()));
    registry.trap(/manifests/, (_request, response) => {
      response.writeHead(307, { location: `https://${elsewhere.host}/x` }).end();
    });
    await assert.rejects(client.resolve(imageAt(registry.host), request()));
    assert.equal(elsewhere.seen.length, 0, "the other host never saw the certificate");
  });

  it("names the directory when a certificate is broken", async () => {
    await using dir = await certsDir();
    await dir.put("127.0.0.1:1", { "me.cert": "junk", "me.key": "CANARY" });
    using client = testClient([], { certsDirs: [dir.path] });
    await assert.rejects(
      client.resolve(imageAt("127.0.0.1:1"), request()),
      (error) =>
        isFault(error, "invalid") &&
        error.message.includes(`${dir.path}/127.0.0.1:1`) &&
        !error.message.includes("CANARY"),
    );
  });

  it("is not verified for an insecure registry, but preferred to none", async () => {
    await using registry = await FaultyRegistry.start(certificate);
    registry.putImage("team/app", "v1");
    using client = testClient([registry.host]);
    assert.ok(await client.resolve(imageAt(registry.host), request()));
  });

  it("is never left for plain HTTP by a redirect or a token server", async () => {
    await using dir = await certsDir();
    await using registry = await FaultyRegistry.start(certificate);
    await using plain = await FaultyRegistry.start();
    await dir.put(registry.host, { "ca.crt": certificate.cert });
    using client = testClient([], { certsDirs: [dir.path] });
    registry.trap(/./, (_request, response) => response.writeHead(307, { location: `http://${plain.host}/x` }).end());
    await assert.rejects(client.resolve(imageAt(registry.host), request()), /without TLS, which is refused/);
    registry.trap(/./, (_request, response) => {
      response.writeHead(401, { "www-authenticate": `Bearer realm="http://${plain.host}/token"` }).end();
    });
    await assert.rejects(
      client.resolve(imageAt(registry.host), request()),
      (error) => isFault(error, "denied") && /does not use HTTPS/.test(error.message),
    );
    assert.equal(plain.seen.length, 0);
  });

  it("is not waited for without end", async () => {
    const sockets = new Set<Socket>();
    const mute = createTcpServer((socket) => sockets.add(socket));
    await new Promise<void>((resolve) => mute.listen(0, "127.0.0.1", resolve));
    using client = testClient([], { limits: { connectTimeoutMs: 50, attempts: 1 } });
    const { port } = mute.address() as AddressInfo; // a TCP server that listens has one
    await assert.rejects(client.resolve(imageAt(`127.0.0.1:${port}`), request()), /not connected after 0\.05 s/);
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => mute.close(resolve));
  });
});

describe("proxies", () => {
  it("are used for what is not exempt, and their passwords appear nowhere", async () => {
    await using dir = await certsDir();
    await using registry = await FaultyRegistry.start(certificate);
    registry.putImage("team/app", "v1");
    await dir.put("registry.test", { "ca.crt": certificate.cert });
    const [host = "", port = ""] = registry.host.split(":");
    const asked: (string | undefined)[] = [];
    let refuse = false;
    const proxy = createServer();
    proxy.on("connect", (incoming: IncomingMessage, socket: Socket) => {
      asked.push(incoming.url, incoming.headers["proxy-authorization"]);
      if (refuse) {
        socket.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
        return;
      }
      const through = connect(Number(port), host, () => socket.write("HTTP/1.1 200 OK\r\n\r\n"));
      socket.pipe(through).pipe(socket);
      for (const end of [socket, through]) end.on("error", () => {});
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    try {
      const address = proxy.address() as AddressInfo; // a TCP server that listens has one
      const env = { HTTPS_PROXY: `http://user:CANARY@127.0.0.1:${address.port}` };
      using client = testClient([], { certsDirs: [dir.path], env });
      assert.ok(await client.resolve(imageAt("registry.test"), request()));
      assert.deepEqual(asked, ["registry.test:443", `Basic ${Buffer.from("user:CANARY").toString("base64")}`]);
      refuse = true;
      using refused = testClient([], { certsDirs: [dir.path], env });
      await assert.rejects(
        refused.resolve(imageAt("registry.test"), request()),
        (error) => isFault(error, "failed") && /407/.test(error.message) && !error.message.includes("CANARY"),
      );
    } finally {
      proxy.closeAllConnections();
      await new Promise((resolve) => proxy.close(resolve));
    }
  });
});

describe("testCertificate", () => {
  it("differs every time", () => {
    const one: TestCertificate = testCertificate(["a.test"]);
    assert.notEqual(one.cert, testCertificate(["a.test"]).cert);
  });
});
