import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type FaultCode, isFault } from "../base/index.ts";
import { digestOf, type ImageReference, manifestMediaTypes, maxManifestBytes } from "../oci/index.ts";
import { isTransient, registryFailureOf } from "./failure.ts";
import { testCertificate } from "./testing/certificate.ts";
import { collect, imageAt, registriesConf, request, testClient } from "./testing/client.ts";
import { FaultyRegistry, sendError } from "./testing/faulty-registry.ts";

const { ociImage, ociIndex, dockerList } = manifestMediaTypes;

async function refuses(
  registry: FaultyRegistry,
  code: FaultCode,
  words: RegExp,
  reference: ImageReference = imageAt(registry.host),
): Promise<void> {
  using client = testClient([registry.host]);
  await assert.rejects(client.resolve(reference, request()), (error) => {
    assert.ok(isFault(error), String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, words);
    return true;
  });
}

describe("resolve", () => {
  it("finds an image by tag and by digest, and takes the digest before the tag", async () => {
    await using registry = await FaultyRegistry.start();
    using client = testClient([registry.host]);
    const image = registry.putImage("team/app", "v1");
    const byTag = await client.resolve(imageAt(registry.host), request());
    assert.equal(byTag.manifestDigest, image.manifestDigest);
    assert.deepEqual(byTag.manifestBytes, image.manifestBytes);
    assert.equal(digestOf(byTag.configBytes), image.configDigest);
    assert.deepEqual(byTag.config.config.Env, ["A=b"]);
    assert.equal(byTag.list, undefined);
    const byDigest = await client.resolve(imageAt(registry.host, `team/app:other@${image.manifestDigest}`), request());
    assert.equal(byDigest.manifestDigest, image.manifestDigest);
    assert.match(client.logged.join(""), /level=info msg="image source chosen"/);
  });

  it("remembers that an insecure registry speaks HTTP, and keeps its connection", async () => {
    await using registry = await FaultyRegistry.start();
    using client = testClient([registry.host]);
    registry.putImage("team/app", "v1");
    await client.resolve(imageAt(registry.host), request());
    await client.resolve(imageAt(registry.host), request());
    assert.equal(registry.openSockets, 1);
    assert.equal(registry.countOf(/./), 4);
  });

  it("notices when an insecure registry turns to TLS", async () => {
    const plain = await FaultyRegistry.start();
    using client = testClient([plain.host]);
    plain.putImage("team/app", "v1");
    await client.resolve(imageAt(plain.host), request());
    const { host } = plain;
    await plain[Symbol.asyncDispose]();
    await using registry = await FaultyRegistry.start(testCertificate(["x"]), Number(host.split(":")[1]));
    registry.putImage("team/app", "v1");
    assert.ok(await client.resolve(imageAt(host), request()));
  });

  it("follows an index to the platform's manifest", async () => {
    for (const type of [ociIndex, dockerList]) {
      await using registry = await FaultyRegistry.start();
      using client = testClient([registry.host]);
      const image = registry.putImage("team/app", "amd64");
      const entry = { mediaType: ociImage, digest: image.manifestDigest, size: image.manifestBytes.byteLength };
      const wrong = { mediaType: ociImage, digest: digestOf(Buffer.from("x")), size: 1 };
      const manifests = [
        { ...wrong, platform: { os: "unknown", architecture: "unknown" } },
        { ...wrong, platform: { os: "linux", architecture: "arm64" } },
        { ...entry, platform: { os: "linux", architecture: "amd64" } },
      ];
      const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: type, manifests }));
      const digest = registry.putManifest("team/app", "v1", type, bytes);
      const found = await client.resolve(imageAt(registry.host), request());
      assert.equal(found.manifestDigest, image.manifestDigest);
      assert.deepEqual(found.list, { bytes, digest, mediaType: type });
      await assert.rejects(
        client.resolve(imageAt(registry.host), { ...request(), platform: { os: "linux", architecture: "s390x" } }),
        (error) => isFault(error, "not-found") && /linux\/s390x.*linux\/arm64/.test(error.message),
      );
    }
  });

  it("does not walk indexes without end, nor believe their sizes and types", async () => {
    await using registry = await FaultyRegistry.start();
    const image = registry.putImage("team/app", "amd64");
    const platform = { os: "linux", architecture: "amd64" };
    const put = (tag: string, entry: object) => {
      const body = { schemaVersion: 2, mediaType: ociIndex, manifests: [{ platform, ...entry }] };
      const bytes = Buffer.from(JSON.stringify(body));
      return { digest: registry.putManifest("team/app", tag, ociIndex, bytes), size: bytes.byteLength };
    };
    let next: { digest: string; size: number } = { digest: image.manifestDigest, size: image.manifestBytes.byteLength };
    put("size", { mediaType: ociImage, ...next, size: 1 });
    put("type", { mediaType: manifestMediaTypes.dockerImage, ...next });
    for (let depth = 0; depth < 6; depth++) {
      next = put(depth === 5 ? "deep" : `d${depth}`, { mediaType: depth === 0 ? ociImage : ociIndex, ...next });
    }
    await refuses(registry, "corrupt", /its index says 1/, imageAt(registry.host, "team/app:size"));
    await refuses(registry, "invalid", /its index says .*docker/, imageAt(registry.host, "team/app:type"));
    await refuses(registry, "invalid", /nested too deeply/, imageAt(registry.host, "team/app:deep"));
  });

  it("refuses bytes whose digest is not the one asked for or announced", async () => {
    await using registry = await FaultyRegistry.start();
    const image = registry.putImage("team/app", "v1");
    const flipped = Buffer.from(image.manifestBytes.toString().replace("2", "3"));
    registry.put(`/v2/team/app/manifests/${image.manifestDigest}`, ociImage, flipped);
    await refuses(registry, "corrupt", /its digest is/, imageAt(registry.host, `team/app@${image.manifestDigest}`));
    registry.trap(/manifests\/v1/, (_request, response) => {
      response.writeHead(200, { "content-type": ociImage, "docker-content-digest": digestOf(flipped) });
      response.end(image.manifestBytes);
    });
    await refuses(registry, "corrupt", /its digest is/);
  });

  it("refuses manifests that are too large, announced or not, without reading them", async () => {
    await using registry = await FaultyRegistry.start();
    registry.put("/v2/team/app/manifests/v1", ociImage, Buffer.alloc(maxManifestBytes + 1));
    await refuses(registry, "exhausted", /larger than/);
    registry.trap(/manifests/, (_request, response) => {
      const pour = () => {
        while (response.write(Buffer.alloc(65_536, " ")) && !response.destroyed);
      };
      response.on("drain", pour);
      pour();
    });
    await refuses(registry, "exhausted", /larger than/);
  });

  it("refuses ambiguous manifests, schema 1, artifacts and layer counts that disagree", async () => {
    await using registry = await FaultyRegistry.start();
    const image = registry.putImage("team/app", "v1");
    const put = (tag: string, change: object, type: string = ociImage) => {
      const body = { ...JSON.parse(image.manifestBytes.toString()), ...change };
      registry.putManifest("team/app", tag, type, Buffer.from(JSON.stringify(body)));
      return imageAt(registry.host, `team/app:${tag}`);
    };
    const empty = { mediaType: "application/vnd.oci.empty.v1+json", digest: digestOf(Buffer.from("{}")), size: 2 };
    await refuses(registry, "invalid", /ambiguous/, put("both", { manifests: [] }));
    await refuses(registry, "invalid", /Content-Type/, put("header", {}, ociIndex));
    await refuses(registry, "unimplemented", /schema 1/, put("old", { schemaVersion: 1 }));
    await refuses(registry, "corrupt", /2 layers.*1 diff id/, put("layers", { layers: twice(image.layers[0]) }));
    const artifact = put("artifact", { artifactType: "application/x", config: empty });
    await refuses(registry, "invalid", /OCI artifact/, artifact);
    registry.putBlob("team/app", Buffer.from("{}"));
    using client = testClient([registry.host]);
    const found = await client.resolveManifest(artifact, request());
    assert.equal(found.manifest.artifactType, "application/x");
    assert.equal(String(await collect(client.blob(found.source, found.manifest.config, request()))), "{}");
  });

  it("names what the registry said, without its control characters", async () => {
    await using registry = await FaultyRegistry.start();
    await refuses(registry, "not-found", /reading manifest v1 in .*team\/app: manifest unknown \(status 404\)/);
    registry.trap(/manifests/, (_request, response) => sendError(response, 403, "DENIED", "go\naway\x1b[2J\0"));
    await refuses(registry, "denied", /denied: go away \[2J \(status 403\)/);
    registry.trap(/manifests/, (_request, response) => response.writeHead(404).end("<html>"));
    await refuses(registry, "not-found", /manifest unknown/);
    registry.trap(/manifests/, (_request, response) => response.writeHead(401).end());
    await refuses(registry, "denied", /unauthorized.*no credentials for/);
  });

  it("tries again after 5xx, 429 and broken connections, and gives up after the last attempt", async () => {
    await using registry = await FaultyRegistry.start();
    using client = testClient([registry.host]);
    registry.putImage("team/app", "v1");
    registry.trap(/manifests/, (_request, response) => response.writeHead(503).end());
    registry.trap(/manifests/, (_request, response) =>
      sendError(response, 429, "TOOMANYREQUESTS", "slow", { "retry-after": "1" }),
    );
    await client.resolve(imageAt(registry.host), request());
    registry.trap(/manifests/, ({ socket }) => socket.resetAndDestroy());
    registry.trap(/manifests/, ({ socket }) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"));
    await client.resolve(imageAt(registry.host), request());
    registry.trap(/manifests/, (_request, response) => response.writeHead(502).end(), 3);
    await assert.rejects(client.resolve(imageAt(registry.host), request()), (error) => {
      return isFault(error, "failed") && registryFailureOf(error)?.is === "status" && isTransient(error);
    });
    assert.equal(registry.countOf(/manifests/), 9);
    registry.trap(/manifests/, (_request, response) => response.writeHead(400).end());
    await assert.rejects(client.resolve(imageAt(registry.host), request()), /status 400/);
    assert.equal(registry.countOf(/manifests/), 10);
  });

  it("gives up on a registry that accepts and says nothing, or never answers", async () => {
    await using registry = await FaultyRegistry.start();
    using client = testClient([registry.host], { limits: { stallTimeoutMs: 50, attempts: 2 } });
    registry.putImage("team/app", "v1");
    registry.trap(/manifests/, () => {}, 2);
    await assert.rejects(client.resolve(imageAt(registry.host), request()), /no answer within 0.05 s/);
    registry.trap(/manifests/, (_request, response) => response.writeHead(200).flushHeaders());
    assert.ok(await client.resolve(imageAt(registry.host), request()), "one stall is made up for");
  });

  it("says that a registry refuses connections", async () => {
    const registry = await FaultyRegistry.start();
    const { host } = registry;
    await registry[Symbol.asyncDispose]();
    using client = testClient([]);
    await assert.rejects(
      client.resolve(imageAt(host), request()),
      (error) => isFault(error, "unavailable") && /connection refused/.test(error.message),
    );
    using insecure = testClient([host]);
    await assert.rejects(
      insecure.resolve(imageAt(host), request()),
      (error) => isFault(error, "unavailable") && /by HTTPS: .*connection refused/.test(error.message),
    );
  });

  it("ends at once, and with the caller's reason, when the signal aborts", async () => {
    await using registry = await FaultyRegistry.start();
    using client = testClient([registry.host]);
    registry.trap(/manifests/, () => {});
    const controller = new AbortController();
    const going = client.resolve(imageAt(registry.host), { ...request(), signal: controller.signal });
    await registry.arrived(/manifests/);
    const reason = new Error("enough");
    controller.abort(reason);
    await assert.rejects(going, (error) => error === reason);
    await assert.rejects(
      client.resolve(imageAt(registry.host), { ...request(), signal: controller.signal }),
      (error) => error === reason,
    );
  });

  it("answers a name that no URL can hold with an error", async () => {
    using client = testClient([]);
    await assert.rejects(client.resolve(imageAt("r.io:99999"), request()), (error) => isFault(error, "invalid"));
  });
});

describe("mirrors", () => {
  const conf = (primary: FaultyRegistry, ...mirrors: readonly FaultyRegistry[]) => {
    const mirror = ({ host }: FaultyRegistry) => `[[registry.mirror]]\nlocation="${host}/cache"\ninsecure=true\n`;
    const config = registriesConf(
      `[[registry]]\nprefix="example.test"\nlocation="${primary.host}"\ninsecure=true\n${mirrors.map(mirror).join("")}`,
    );
    return () => config;
  };

  it("are asked in order, and the registry itself at last", async () => {
    await using first = await FaultyRegistry.start();
    await using second = await FaultyRegistry.start();
    await using primary = await FaultyRegistry.start();
    using client = testClient([], { config: conf(primary, first, second) });
    second.putImage("cache/team/app", "v1");
    primary.putImage("team/app", "v1");
    const found = await client.resolve(imageAt("example.test"), request());
    assert.equal(found.source.reference.domain, second.host);
    assert.equal(found.reference.domain, "example.test");
    assert.equal(primary.seen.length, 0);
    second.trap(/manifests/, (_request, response) => response.writeHead(500).end(), 2);
    assert.equal((await client.resolve(imageAt("example.test"), request())).source.reference.domain, primary.host);
  });

  it("are passed over when what they serve is wrong", async () => {
    await using mirror = await FaultyRegistry.start();
    await using primary = await FaultyRegistry.start();
    using client = testClient([], { config: conf(primary, mirror) });
    const image = primary.putImage("team/app", "v1");
    const copy = mirror.putImage("cache/team/app", "v1");
    mirror.put(`/v2/cache/team/app/blobs/${copy.configDigest}`, "x", Buffer.from("not the config"));
    const found = await client.resolve(imageAt("example.test"), request());
    assert.equal(found.source.reference.domain, primary.host);
    assert.equal(found.manifestDigest, image.manifestDigest);
  });

  it("all have their say in the error, whose code is the registry's own", async () => {
    await using mirror = await FaultyRegistry.start();
    await using primary = await FaultyRegistry.start();
    using client = testClient([], { config: conf(primary, mirror) });
    mirror.trap(/./, (_request, response) => sendError(response, 403, "DENIED", "not you"));
    await assert.rejects(client.resolve(imageAt("example.test"), request()), (error) => {
      const failure = registryFailureOf(error);
      assert.ok(isFault(error, "not-found") && failure?.is === "status");
      assert.deepEqual(failure.codes, ["MANIFEST_UNKNOWN"]);
      return /manifest unknown.*mirrors failed before: \[.*cache\/team\/app:v1: .*not you/.test(error.message);
    });
  });

  it("are helped out by the registry in the middle of a blob", async () => {
    await using mirror = await FaultyRegistry.start();
    await using primary = await FaultyRegistry.start();
    using client = testClient([], { config: conf(primary, mirror) });
    const bytes = Buffer.from("0123456789".repeat(1000));
    const image = mirror.putImage("cache/team/app", "v1", [bytes]);
    primary.putBlob("team/app", bytes);
    const found = await client.resolve(imageAt("example.test"), request());
    const [layer] = image.layers;
    assert.ok(layer);
    mirror.trap(
      new RegExp(layer.digest),
      ({ socket }, response) => {
        response.writeHead(200, { "content-length": bytes.byteLength });
        response.write(bytes.subarray(0, 500), () => setImmediate(() => socket.resetAndDestroy()));
      },
      1,
    );
    mirror.trap(new RegExp(layer.digest), (_request, response) => response.writeHead(404).end());
    assert.deepEqual(await collect(client.blob(found.source, layer, request())), bytes);
    assert.match(primary.seen.find(({ url }) => url.includes(layer.digest))?.range ?? "", /^bytes=[0-9]+-$/);
  });
});

function twice(layer: { readonly digest: string; readonly size: number } | undefined): readonly object[] {
  const descriptor = { mediaType: "application/vnd.oci.image.layer.v1.tar", digest: layer?.digest, size: layer?.size };
  return [descriptor, descriptor];
}
