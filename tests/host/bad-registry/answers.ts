/** Registries that refuse, break off, lie and contradict themselves (reference: cri.md 9.1; attack class 10). */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { describe, it } from "node:test";
import { fixtureNames } from "../../support/fixtures/index.ts";
import { type FaultRule, registryControl } from "../../support/registry/index.ts";
import { pushBlob, pushManifest, pushRaw, type RawManifest } from "../bad-input/push.ts";
import type { Scene } from "../bad-input/scene.ts";
import {
  type FailingPull,
  fails,
  failsThenSucceeds,
  leavesStoreAsItWas,
  pullAndRemove,
  watchStore,
  withFaults,
} from "./pulling.ts";

const image = fixtureNames.layered;
const repository = "quay.io/crio-ts/layered";
const ofManifest = (fault: FaultRule["fault"], more: Partial<FaultRule> = {}): readonly FaultRule[] => [
  { path: "/crio-ts/layered/manifests/", fault, ...more },
];
/** Of the second blob and those after it: the first is the config. */
const ofLayers = (fault: FaultRule["fault"], more: Partial<FaultRule> = {}): readonly FaultRule[] => [
  { path: "/crio-ts/layered/blobs/", skip: 1, fault, ...more },
];
const reading = (what: string) => `^unable to pull image ${image}: ${what}`;

/** What is wrong with the registry, and the words for it. */
const broken: readonly (Omit<FailingPull, "image"> & { readonly what: string })[] = [
  {
    what: "denies it",
    faults: ofManifest({ is: "status", status: 403 }),
    details: new RegExp(
      reading(`reading manifest latest in ${repository}: .*\\(status 403\\) from https://quay\\.io/`),
    ),
  },
  {
    what: "wants a user that nobody has named",
    auth: [{ prefix: "crio-ts/", mode: { is: "basic", user: "u", password: "p" } }],
    details: new RegExp(
      reading(`reading manifest latest in ${repository}: .*\\(status 401\\).*no credentials for quay\\.io`),
    ),
  },
  {
    what: "announces another digest of the manifest",
    faults: ofManifest({ is: "digest-header", digest: `sha256:${"0".repeat(64)}` }),
    details: new RegExp(reading(`reading manifest latest in ${repository}: its digest is sha256:\\w+, not sha256:0+$`)),
  },
  {
    what: "has a bit of the manifest wrong",
    faults: ofManifest({ is: "flip", atByte: 30 }),
    details: new RegExp(
      reading(`reading manifest latest in ${repository}: its digest is sha256:\\w+, not sha256:\\w+$`),
    ),
  },
  {
    what: "gives a page instead of a manifest",
    faults: ofManifest({ is: "body", body: "<html>welcome</html>", contentType: "text/html" }),
    details: new RegExp(
      reading(`reading manifest latest in ${repository}: its digest is sha256:\\w+, not sha256:\\w+$`),
    ),
  },
  {
    what: "has lost the config",
    faults: [{ path: "/crio-ts/layered/blobs/", times: 1, fault: { is: "status", status: 404 } }],
    details: new RegExp(reading(`reading blob sha256:\\w+ in ${repository}: .*\\(status 404\\)`)),
  },
  {
    what: "has a bit of the config wrong",
    faults: [{ path: "/crio-ts/layered/blobs/", times: 1, fault: { is: "flip", atByte: 5 } }],
    details: new RegExp(reading(`reading blob sha256:\\w+ in ${repository}: the digest of what came is sha256:\\w+$`)),
  },
  {
    what: "has lost a layer",
    faults: ofLayers({ is: "status", status: 404 }, { skip: 3 }),
    details: new RegExp(reading(`layer sha256:\\w+: reading blob sha256:\\w+ in ${repository}: .*\\(status 404\\)`)),
  },
  ...[0, 700, 1500].map((atByte) => ({
    what: `has bit ${atByte} of every layer wrong`,
    faults: ofLayers({ is: "flip", atByte } as const),
    details: new RegExp(
      reading(`layer sha256:\\w+: reading blob sha256:\\w+ in ${repository}: the digest of what came is sha256:\\w+$`),
    ),
  })),
  {
    what: "has a bit of the last layer wrong, when others have arrived whole",
    faults: ofLayers({ is: "flip", atByte: 100 }, { skip: 3 }),
    details: new RegExp(
      reading(`layer sha256:\\w+: reading blob sha256:\\w+ in ${repository}: the digest of what came is sha256:\\w+$`),
    ),
  },
  {
    what: "sends more of a layer than there is",
    faults: ofLayers({ is: "extra", bytes: 1 }),
    details: new RegExp(
      reading(`layer sha256:\\w+: reading blob sha256:\\w+ in ${repository}: it has \\d+ bytes, not \\d+$`),
    ),
  },
  {
    what: "sends us round in circles",
    faults: ofManifest({
      is: "status",
      status: 307,
      headers: { location: "https://quay.io/v2/crio-ts/layered/manifests/latest" },
    }),
    details: new RegExp(reading(".*more than 10 redirects$")),
  },
  {
    what: "sends us where there is no TLS",
    faults: ofManifest({ is: "status", status: 302, headers: { location: "http://plain.test:5000/v2/x/manifests/y" } }),
    details: new RegExp(reading(".*redirected to http://plain\\.test:5000/.*without TLS, which is refused$")),
  },
  {
    what: "sends us to a file",
    faults: ofManifest({ is: "status", status: 301, headers: { location: "file:///etc/passwd" } }),
    details: new RegExp(reading(".*redirected to a file: URL, which is refused$")),
  },
];

/** What passes, or does not: of which requests for an image of two layers, and the words for it when it does not pass. */
const failures: readonly {
  readonly of: "manifests" | "blobs";
  readonly fault: FaultRule["fault"];
  readonly words: RegExp;
}[] = [
  {
    of: "manifests",
    fault: { is: "status", status: 429, headers: { "retry-after": "1" }, body: "{}" },
    words: /: reading manifest latest in quay\.io\/\S+: too many requests \(status 429\)/,
  },
  {
    of: "manifests",
    fault: { is: "status", status: 503 },
    words: /: reading manifest latest in quay\.io\/\S+: .*\(status 503\)/,
  },
  {
    of: "blobs",
    fault: { is: "status", status: 502 },
    words: /: layer sha256:\w+: reading blob sha256:\w+ in quay\.io\/\S+: .*\(status 502\)/,
  },
  {
    of: "blobs",
    fault: { is: "truncate", afterBytes: 10 },
    words: /: layer sha256:\w+: GET https:\/\/\S+\/blobs\/\S+: the connection was closed in the middle of the answer$/,
  },
  {
    of: "blobs",
    fault: { is: "reset", afterBytes: 10 },
    words: /: layer sha256:\w+: GET https:\/\/\S+\/blobs\/\S+: the connection was closed in the middle of the answer$/,
  },
];

/** One image for each of the failures, with layers of its own. */
async function imagesOfFailures(folder: string): Promise<readonly string[]> {
  return await Promise.all(
    failures.map((_, at) =>
      pushRaw(`${folder}-${at}`, { layers: [1, 2].map((n) => Buffer.alloc((at * 2 + n) << 10)) }),
    ),
  );
}

function rulesOfFailures(folder: string, times?: number): readonly FaultRule[] {
  return failures.map(({ of, fault }, at) => ({
    path: `/${folder}-${at}/${of}/`,
    skip: of === "blobs" ? 1 : 0, // the config
    fault,
    ...(times !== undefined && { times }),
  }));
}

/** All at once, since each takes a while: there are pauses between the tries. */
async function givesUp(scene: Scene): Promise<void> {
  const registry = registryControl();
  const images = await imagesOfFailures("lasting");
  let connections = 0;
  await using resetting = await listen((socket) => {
    connections++;
    socket.resetAndDestroy();
  });
  await leavesStoreAsItWas(async () => {
    await registry.takeRequests();
    const pulls = () => [
      ...images.map((name, at) => fails(scene, { image: name, details: failures[at]?.words ?? /^$/ })),
      fails(scene, {
        image: `${resetting.host}/x/y:1`,
        details:
          /: GET https:\/\/plain\.test:\d+\/v2\/x\/y\/manifests\/1: .*(connection was reset|disconnected before)/,
      }),
    ];
    await leavesStoreAsItWas(() => withFaults(rulesOfFailures("lasting"), () => all(pulls())));
    const asked = Map.groupBy(await registry.takeRequests(), ({ path }) => path);
    for (const [at, { of }] of failures.entries()) {
      const tries = [...asked]
        .filter(([path]) => path.includes(`/lasting-${at}/${of}/`))
        .map(([, each]) => each.length);
      assert.equal(Math.max(...tries), 5, `${images[at]}: ${tries}`);
    }
    assert.equal(connections, 5);
    for (const name of images) await pullAndRemove(scene, name);
  });
}

async function forgives(scene: Scene): Promise<void> {
  const images = await imagesOfFailures("passing");
  await leavesStoreAsItWas(() =>
    withFaults(rulesOfFailures("passing", 2), () => all(images.map((name) => pullAndRemove(scene, name)))),
  );
}

/** Waits for all of them, so that none is left running when another one fails. */
async function all(works: readonly Promise<unknown>[]): Promise<void> {
  await Promise.allSettled(works);
  await Promise.all(works);
}

/** A server of connections that speaks for itself, below a name that the node knows. */
async function listen(onConnection: (socket: Socket) => void): Promise<{ readonly host: string } & AsyncDisposable> {
  const server = createServer(onConnection).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // a TCP server that listens has one
  return {
    host: `plain.test:${port}`,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

export function brokenAnswers(scene: () => Scene): void {
  describe("a registry that", () => {
    for (const { what, ...pull } of broken) {
      it(`${what} fails a pull in words, and nothing is left`, () => failsThenSucceeds(scene(), { image, ...pull }));
    }

    it("is busy, fails, breaks off or resets whenever it is asked, is asked five times and no more; nothing is left", () =>
      givesUp(scene()));

    it("is not there makes the kubelet wait", async () => {
      await leavesStoreAsItWas(() =>
        fails(scene(), {
          image: "plain.test:5999/x/y:1",
          details: /^RegistryUnavailable: GET https:\/\/plain\.test:5999\/v2\/x\/y\/manifests\/1: connection refused/,
        }),
      );
    });

    it("does not know the name, or the digest, says so", async () => {
      await leavesStoreAsItWas(async () => {
        for (const name of [
          "quay.io/crio-ts/none:1",
          "quay.io/crio-ts/layered:none",
          `${repository}@sha256:${"0".repeat(64)}`,
        ]) {
          await fails(scene(), {
            image: name,
            details: /^unable to pull image quay\.io.*manifest unknown \(status 404\)/,
          });
        }
      });
    });

    it("recovers in time is forgiven: busy, failing, breaking off, resetting", () => forgives(scene()));

    it("breaks off in the middle of a large layer is asked for the rest only", async () => {
      const registry = registryControl();
      await registry.takeRequests();
      const fault = { is: "reset", afterBytes: 20 << 20 } as const;
      await leavesStoreAsItWas(() =>
        withFaults([{ path: "/crio-ts/large/blobs/", skip: 1, times: 1, fault }], () =>
          pullAndRemove(scene(), fixtureNames.large),
        ),
      );
      const statuses = (await registry.takeRequests())
        .filter(({ path }) => path.includes("/blobs/"))
        .map(({ status }) => status);
      assert.ok(statuses.includes(206), `no part of a blob was asked for: ${statuses}`);
    });

    it("has the image for other machines only says which", async () => {
      await leavesStoreAsItWas(() =>
        fails(scene(), {
          image: fixtureNames.foreign,
          details: /no image found in the index for linux\/(amd64|arm64.*); it has ".*linux\/s390x.*"$/,
        }),
      );
    });
  });

  describe("a manifest that", () => {
    const layer = Buffer.alloc(1024); // the end of an archive: an empty one
    const bad: readonly (readonly [what: string, spoil: (manifest: RawManifest) => unknown, words: RegExp])[] = [
      ["is an index too", (m) => ({ ...m, manifests: [{ ...m.config, digest: m.config.digest }] }), /reading manifest/],
      ["has neither layers nor manifests", ({ layers: _, config: _c, ...m }) => m, /reading manifest/],
      [
        "says that it is an index",
        (m) => ({ ...m, mediaType: "application/vnd.oci.image.index.v1+json" }),
        /reading manifest/,
      ],
      ["is of Docker's first schema", (m) => ({ ...m, schemaVersion: 1 }), /reading manifest/],
      ["is cut off", (m) => Buffer.from(JSON.stringify(m).slice(0, -3)), /reading manifest/],
      ["is empty", () => Buffer.alloc(0), /reading manifest/],
      ["is null", () => null, /reading manifest/],
      ["is a list", (m) => [m], /reading manifest/],
      [
        "is nested deeper than any",
        () => Buffer.from(`${"[".repeat(100_000)}${"]".repeat(100_000)}`),
        /reading manifest/,
      ],
      ["is longer than 4 MiB", (m) => ({ ...m, annotations: { x: "y".repeat(5 << 20) } }), /manifest/],
      [
        "has a layer with a digest that is none",
        (m) => ({ ...m, layers: [{ ...m.layers[0], digest: "sha256:../../etc/passwd" }] }),
        /digest/,
      ],
      [
        "has a layer with a digest in capitals",
        (m) => ({ ...m, layers: [{ ...m.layers[0], digest: m.layers[0]?.digest.toUpperCase() }] }),
        /digest/,
      ],
      ["has a layer without a size", (m) => ({ ...m, layers: [{ ...m.layers[0], size: undefined }] }), /size/],
      ["has a layer of less than no bytes", (m) => ({ ...m, layers: [{ ...m.layers[0], size: -1 }] }), /size/],
      ["has a layer of half a byte", (m) => ({ ...m, layers: [{ ...m.layers[0], size: 0.5 }] }), /size/],
      ["has a layer of 2^64 bytes", (m) => ({ ...m, layers: [{ ...m.layers[0], size: 2 ** 64 }] }), /size/],
      [
        "has a smaller layer than there is",
        (m) => ({ ...m, layers: [{ ...m.layers[0], size: 1023 }] }),
        /layer sha256:\w+: reading blob/,
      ],
      [
        "has a larger layer than there is",
        (m) => ({ ...m, layers: [{ ...m.layers[0], size: 1025 }] }),
        /layer sha256:\w+: reading blob/,
      ],
      ["has more layers than its config", (m) => ({ ...m, layers: [...m.layers, ...m.layers] }), /layers/],
      ["has fewer layers than its config", (m) => ({ ...m, layers: [] }), /layers/],
      [
        "is an artifact whose config is not there",
        (m) => ({
          ...m,
          config: { mediaType: "application/vnd.example", digest: `sha256:${"0".repeat(64)}`, size: 2 },
        }),
        /storing the OCI artifact/,
      ],
      [
        "has a config of another size",
        (m) => ({ ...m, config: { ...m.config, size: m.config.size + 1 } }),
        /reading blob/,
      ],
      [
        "has a config that is 100 MiB",
        (m) => ({ ...m, config: { ...m.config, size: 100 << 20 } }),
        /config has \d+ bytes/,
      ],
    ];
    for (const [what, spoil, words] of bad) {
      it(`${what} fails the pull in words, and nothing is left`, async () => {
        const expectStoreAsBefore = await watchStore();
        const name = await pushRaw("bad-manifest", { layers: [layer], spoil });
        await fails(scene(), { image: name, details: words });
        await expectStoreAsBefore();
        await pushRaw("bad-manifest", { layers: [layer] });
        await pullAndRemove(scene(), name);
        await expectStoreAsBefore();
      });
    }

    it("is sent as something else fails the pull", async () => {
      for (const mediaType of [
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
      ]) {
        const name = await pushRaw("other-type", { layers: [layer], mediaType });
        await leavesStoreAsItWas(() =>
          fails(scene(), { image: name, details: /the manifest says it is .*Content-Type says/ }),
        );
      }
    });

    it("is an index of indexes without end, or with another size, fails the pull", async () => {
      const mediaType = "application/vnd.oci.image.index.v1+json";
      const indexOf = (entries: readonly object[]) =>
        Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests: entries }));
      let bytes = indexOf([]);
      for (let depth = 0; depth < 6; depth++) {
        const digest = await pushBlob("index", bytes);
        await pushManifest("index", { bytes, mediaType, reference: digest });
        bytes = indexOf([{ mediaType, digest, size: bytes.length }]);
      }
      const name = await pushManifest("index", { bytes, mediaType });
      await leavesStoreAsItWas(() => fails(scene(), { image: name, details: /nested too deeply|no image found/ }));
      const inner = indexOf([]);
      const digest = await pushBlob("index", inner);
      await pushManifest("index", { bytes: inner, mediaType, reference: digest });
      const lying = indexOf([{ mediaType, digest, size: inner.length + 1 }]);
      await pushManifest("index", { bytes: lying, mediaType });
      await leavesStoreAsItWas(() => fails(scene(), { image: name, details: /bytes, its index says|no image found/ }));
    });

    it("has layers that unpack to something else than its config says fails the pull", async () => {
      const name = await pushRaw("other-content", { layers: [layer], diffIds: [`sha256:${"1".repeat(64)}`] });
      await leavesStoreAsItWas(() =>
        fails(scene(), {
          image: name,
          details: /layer sha256:\w+: it unpacks to sha256:\w+, the image config says sha256:1+$/,
        }),
      );
    });
  });
}
