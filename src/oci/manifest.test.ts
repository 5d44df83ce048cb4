import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type FaultCode, isFault } from "../base/index.ts";
import { digestOf } from "./digest.ts";
import { maxManifestBytes, parseManifest } from "./manifest.ts";
import { manifestMediaTypes } from "./media-types.ts";

const { ociImage, ociIndex, dockerImage, dockerList } = manifestMediaTypes;
const digest = digestOf(Buffer.from("x"));
const config = { mediaType: "application/vnd.oci.image.config.v1+json", digest, size: 2 };
const layer = { mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest, size: 3 };
const entry = { mediaType: ociImage, digest, size: 4, platform: { os: "linux", architecture: "amd64" } };

function read(body: unknown, mediaType?: string) {
  return parseManifest(Buffer.from(typeof body === "string" ? body : JSON.stringify(body)), mediaType);
}

function refuses(code: FaultCode, words: RegExp, body: unknown, mediaType?: string): void {
  assert.throws(
    () => read(body, mediaType),
    (error) => isFault(error, code) && words.test(error.message),
    `${JSON.stringify(body).slice(0, 200)} as ${mediaType}`,
  );
}

describe("parseManifest", () => {
  it("reads the four types", () => {
    for (const type of [ociImage, dockerImage]) {
      const manifest = read({ schemaVersion: 2, mediaType: type, config, layers: [layer, layer] }, type);
      assert.ok(manifest.is === "image" && manifest.mediaType === type);
      assert.equal(manifest.layers.length, 2);
      assert.deepEqual(manifest.config, config);
    }
    for (const type of [ociIndex, dockerList]) {
      const manifest = read({ schemaVersion: 2, mediaType: type, manifests: [entry] }, `${type}; charset=utf-8`);
      assert.ok(manifest.is === "index" && manifest.mediaType === type);
      assert.deepEqual(manifest.entries, [entry]);
    }
  });

  it("takes the type from the Content-Type or the fields when the body names none", () => {
    assert.equal(read({ schemaVersion: 2, config, layers: [] }).mediaType, ociImage);
    assert.equal(read({ schemaVersion: 2, config, layers: [] }, dockerImage).mediaType, dockerImage);
    assert.equal(read({ schemaVersion: 2, manifests: [] }, "application/json").mediaType, ociIndex);
    assert.equal(read({ schemaVersion: 2, mediaType: dockerList, manifests: [] }, "text/plain").mediaType, dockerList);
  });

  it("allows an image without layers and ignores what it does not know", () => {
    const manifest = read(`{"schemaVersion":2,"config":${JSON.stringify(config)},"__proto__":{"layers":[1]},"x":[]}`);
    assert.ok(manifest.is === "image");
    assert.deepEqual(manifest.layers, []);
  });

  it("refuses whatever could be read in two ways", () => {
    refuses("invalid", /ambiguous/, { schemaVersion: 2, config, layers: [layer], manifests: [entry] });
    refuses("invalid", /ambiguous/, { schemaVersion: 2, layers: [], manifests: [] }, ociIndex);
    refuses("invalid", /Content-Type/, { schemaVersion: 2, mediaType: ociIndex, manifests: [] }, dockerList);
    refuses("invalid", /Content-Type/, { schemaVersion: 2, mediaType: ociImage, config }, ociIndex);
    refuses("invalid", /fields/, { schemaVersion: 2, config, layers: [] }, ociIndex);
    refuses("invalid", /fields/, { schemaVersion: 2, mediaType: dockerImage, manifests: [] });
    refuses("invalid", /mixes/, { schemaVersion: 2, config, layers: [], fsLayers: [] });
  });

  it("refuses schema 1 with words that help", () => {
    refuses("unimplemented", /schema 1/, { schemaVersion: 1, name: "x", fsLayers: [] });
    refuses("unimplemented", /schema 1/, {}, "application/vnd.docker.distribution.manifest.v1+prettyjws");
  });

  it("refuses malformed documents", () => {
    refuses("invalid", /JSON/, "{");
    refuses("invalid", /JSON/, "");
    refuses("invalid", /JSON/, '\ufeff{"schemaVersion":2}');
    refuses("invalid", /not an object/, "[]");
    refuses("invalid", /not an object/, "null");
    refuses("invalid", /schemaVersion/, {});
    refuses("invalid", /schemaVersion/, { schemaVersion: "2", config });
    refuses("invalid", /neither/, { schemaVersion: 2 });
    refuses("invalid", /neither/, { schemaVersion: 2, layers: [] });
    refuses("invalid", /media type/, { schemaVersion: 2, config, mediaType: "text/html" });
    refuses("invalid", /media type/, { schemaVersion: 2, config }, "text/html");
    refuses("invalid", /not a list/, { schemaVersion: 2, config, layers: {} });
    refuses("invalid", /layers\[0\]/, { schemaVersion: 2, config, layers: [null] });
    refuses("exhausted", /more than/, { schemaVersion: 2, config, layers: new Array(3000).fill(layer) });
    assert.throws(() => parseManifest(Uint8Array.of(0xff, 0xfe), undefined), /valid JSON/);
    assert.throws(
      () => parseManifest(new Uint8Array(maxManifestBytes + 1), undefined),
      (error) => isFault(error, "exhausted"),
    );
  });

  it("refuses sizes and digests that are not exact", () => {
    for (const size of [-1, 1.5, "3", 2 ** 53, null, undefined, [], 1e300]) {
      refuses("invalid", /size/, { schemaVersion: 2, config: { ...config, size } });
    }
    for (const text of ["", "sha256:", digest.toUpperCase(), `${digest}\n`, "../../etc/passwd", 7, null]) {
      refuses("invalid", /digest/, { schemaVersion: 2, config, layers: [{ ...layer, digest: text }] });
    }
  });

  it("never quotes the document when it is broken", () => {
    assert.throws(
      () => read('{"auth": canary'),
      (error) => isFault(error) && !`${error.message}${error.cause ?? ""}`.includes("canary"),
    );
  });

  it("keeps annotations apart from prototypes", () => {
    const manifest = read(
      `{"schemaVersion":2,"config":${JSON.stringify(config)},"annotations":{"__proto__":"a","b":"c"}}`,
    );
    assert.equal(Object.getPrototypeOf(manifest.annotations), null);
    assert.deepEqual(Object.keys(manifest.annotations), ["__proto__", "b"]);
  });
});
