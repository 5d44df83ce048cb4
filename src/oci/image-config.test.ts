import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { digestOf } from "./digest.ts";
import { checkLayersMatch, imageConfigJson, maxImageConfigBytes, parseImageConfig } from "./image-config.ts";
import { parseManifest } from "./manifest.ts";

const diffId = digestOf(Buffer.from("layer"));

function read(body: unknown) {
  return parseImageConfig(Buffer.from(typeof body === "string" ? body : JSON.stringify(body)));
}

describe("parseImageConfig", () => {
  it("reads what Docker writes, with nulls for what is not set", () => {
    const image = read({
      architecture: "arm",
      os: "linux",
      variant: "v7",
      created: "2024-01-02T03:04:05.6Z",
      config: {
        User: "1000:1000",
        ExposedPorts: { "80/tcp": {} },
        Env: ["PATH=/bin", "A=b=c"],
        Entrypoint: null,
        Cmd: ["/bin/sh"],
        Volumes: { "/data": {} },
        WorkingDir: "",
        Labels: null,
        OnBuild: null,
        Healthcheck: { Test: ["x"] },
      },
      rootfs: { type: "layers", diff_ids: [diffId] },
      history: [{ created_by: "ADD x", empty_layer: true }, {}],
    });
    assert.deepEqual(image.config.Entrypoint, []);
    assert.deepEqual(image.config.ExposedPorts, ["80/tcp"]);
    assert.deepEqual(image.config.Volumes, ["/data"]);
    assert.deepEqual(Object.keys(image.config.Labels), []);
    assert.equal(image.variant, "v7");
    assert.deepEqual(image.rootfs.diffIds, [diffId]);
    assert.deepEqual(image.history, [{ createdBy: "ADD x", emptyLayer: true }, { emptyLayer: false }]);
  });

  it("reads an almost empty config", () => {
    for (const body of [{}, { config: null, rootfs: null, history: null }, { rootfs: { diff_ids: null } }]) {
      const image = read(body);
      assert.equal(image.config.User, "");
      assert.deepEqual(image.rootfs.diffIds, []);
    }
  });

  it("takes an entry point that Docker wrote as one word", () => {
    assert.deepEqual(read({ config: { Entrypoint: "/run" } }).config.Entrypoint, ["/run"]);
  });

  it("keeps hostile label names as labels", () => {
    const { config } = read('{"config":{"Labels":{"__proto__":"x","constructor":"y"}}}');
    assert.deepEqual(Object.keys(config.Labels), ["__proto__", "constructor"]);
    assert.equal(Object.getPrototypeOf(config.Labels), null);
    assert.equal(({} as Record<string, unknown>).x, undefined);
  });

  it("refuses wrong types, NUL characters and malformed diff ids", () => {
    const refused = [
      [],
      { config: [] },
      { config: { User: 0 } },
      { config: { Env: "A=b" } },
      { config: { Env: [1] } },
      { config: { Env: ["A=\0"] } },
      { config: { Labels: { a: 1 } } },
      { config: { Volumes: ["/x"] } },
      { rootfs: { type: "squash", diff_ids: [] } },
      { rootfs: { diff_ids: ["sha256:abc"] } },
      { rootfs: { diff_ids: [diffId.toUpperCase()] } },
      { history: [1] },
    ];
    for (const body of refused) {
      assert.throws(
        () => read(body),
        (error) => isFault(error, "invalid"),
        JSON.stringify(body),
      );
    }
    assert.throws(
      () => parseImageConfig(new Uint8Array(maxImageConfigBytes + 1)),
      (error) => isFault(error, "exhausted"),
    );
  });
});

describe("checkLayersMatch", () => {
  it("refuses a manifest and a config that count differently", () => {
    const config = { mediaType: "application/vnd.oci.image.config.v1+json", digest: diffId, size: 1 };
    const manifest = parseManifest(Buffer.from(JSON.stringify({ schemaVersion: 2, config, layers: [] })), undefined);
    assert.ok(manifest.is === "image");
    checkLayersMatch(manifest, read({}));
    assert.throws(
      () => checkLayersMatch(manifest, read({ rootfs: { diff_ids: [diffId] } })),
      (error) => isFault(error, "corrupt"),
    );
  });
});

describe("imageConfigJson", () => {
  it("writes what was read, without what is empty", () => {
    const body = {
      architecture: "amd64",
      os: "linux",
      config: { Env: ["A=b"], Volumes: { "/data": {} }, Labels: { a: "b" } },
      rootfs: { type: "layers", diff_ids: [diffId] },
      history: [{ created_by: "x" }, { empty_layer: true }],
    };
    assert.deepEqual(JSON.parse(JSON.stringify(imageConfigJson(read(body)))), body);
  });
});
