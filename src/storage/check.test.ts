import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { isFault, newId, silentLogger } from "../base/index.ts";
import { mountTmpfs } from "../host/index.ts";
import { type CheckOptions, isSound, type Store, type StoreReport, wipeStore } from "./index.ts";
import { freshTmpfs, hasPrivateMounts, runInPrivateMounts } from "./testing/private-mounts.ts";
import { openTestStore, putImage, putLayers } from "./testing/test-store.ts";

const dayMs = 24 * 3600 * 1000;
const wholly: CheckOptions = { depth: "contents", unusedForMs: dayMs };
const base = [
  { name: "./", type: "5", mode: 0o755 },
  { name: "etc/", type: "5", mode: 0o750, uid: 7, gid: 8 },
  { name: "etc/hosts", content: "base hosts", mode: 0o640 },
  { name: "etc/link", type: "2", link: "hosts" },
  { name: "etc/hard", type: "1", link: "etc/hosts" },
  { name: "big", content: "x".repeat(700_000) },
  { name: Buffer.from("caf\xe9", "latin1"), content: "not UTF-8" },
  { name: "implied/deep/file", content: "1" },
  { name: "twice", content: "first" },
  { name: "old", content: "old" },
];
const top = [
  { name: "etc/hosts", content: "top" },
  { name: ".wh.old" },
  { name: "dir/.wh..wh..opq" },
  { name: "pipe", type: "6" },
];

if (!hasPrivateMounts()) {
  it("the store is checked, repaired and wiped in a mount namespace of its own", () =>
    runInPrivateMounts(import.meta.url));
} else {
  describe("checking a store", checkTests);
  describe("wiping a store", wipeTests);
}

interface Scene extends Disposable {
  readonly store: Store;
  readonly image: string;
  readonly lower: string;
  readonly upper: string;
  /** A container of the image. */
  readonly container: string;
  /** A path below the graph root. */
  at(...parts: readonly string[]): string;
}

async function scene(): Promise<Scene> {
  const tmp = freshTmpfs();
  const store = await openTestStore(tmp.path, { log: silentLogger });
  const image = await putImage(store, "example.com/a:1", base, top);
  const [upper, lower] = await store.layersOf(image);
  const container = newId();
  await store.createContainer({ id: container, names: ["c"], imageId: image, metadata: "" });
  return {
    store,
    image,
    lower: lower?.id ?? "",
    upper: upper?.id ?? "",
    container,
    at: (...parts) => join(tmp.path, "root", ...parts),
    [Symbol.dispose]: () => tmp[Symbol.dispose](),
  };
}

function said(report: StoreReport): string {
  return [...report.layers, ...report.images, ...report.containers]
    .map(([, problems]) => problems.join("\n"))
    .join("\n");
}

function checkTests(): void {
  it("finds nothing wrong with a sound one, whether it is in use or not", async () => {
    using it = await scene();
    await it.store.mountContainer(it.container);
    writeFileSync(it.at("overlay", "x"), "a file of somebody");
    assert.equal(said(await it.store.check(wholly)), "");
    await it.store.unmountContainer(it.container);
    const report = await it.store.check(wholly);
    assert.ok(isSound(report), said(report));
    assert.equal((await it.store.repair(report, { ...wholly, removesContainer: () => true })).left.length, 0);
    assert.equal((await it.store.containers()).length, 1);
  });

  it("leaves alone what a record names that it cannot understand, of a newer podman for example", async () => {
    using it = await scene();
    const files = ["containers.json", "volatile-containers.json"].map((name) => it.at("overlay-containers", name));
    const file = files.find((path) => existsSync(path) && readFileSync(path, "utf8").includes(it.container)) ?? "";
    const [record] = JSON.parse(readFileSync(file, "utf8"));
    const { layer } = record;
    writeFileSync(file, JSON.stringify([{ ...record, layer: [layer] }]));
    const again = await openTestStore(it.at(".."), { log: silentLogger });
    const options: CheckOptions = { depth: "structure", unusedForMs: 0 };
    const report = await again.check(options);
    assert.equal((await again.containers()).length, 0, "it cannot be used");
    await again.repair(report, { ...options, removesContainer: () => true });
    assert.ok(existsSync(it.at("overlay", layer)), "its layer stays");
    assert.ok(existsSync(it.at("overlay-containers", it.container)), "its directory stays");
  });

  it("passes over what the archive has twice, since its first content cannot be made again", async () => {
    using it = await scene();
    await putImage(it.store, "example.com/twice:1", [
      { name: "a", content: "first" },
      { name: "b", content: "b" },
      { name: "a", content: "second", mode: 0o600 },
    ]);
    assert.equal(said(await it.store.check(wholly)), "");
  });

  /** Damage, the least depth that finds it, what is said, and how much of the store has to go. */
  const faults: readonly (readonly [string, CheckOptions["depth"], (it: Scene) => void, RegExp, "all" | "none"])[] = [
    [
      "a layer's directory",
      "structure",
      ({ at, upper }) => rmSync(at("overlay", upper), { recursive: true }),
      /its directory is missing/,
      "all",
    ],
    [
      "the tree of the lowest layer",
      "structure",
      ({ at, lower }) => rmSync(at("overlay", lower, "diff"), { recursive: true }),
      /diff, is missing/,
      "all",
    ],
    [
      "a link file that a crash left empty",
      "structure",
      ({ at, upper }) => truncateSync(at("overlay", upper, "link")),
      /holds no link name/,
      "all",
    ],
    [
      "a list of layers below",
      "structure",
      ({ at, upper }) => writeFileSync(at("overlay", upper, "lower"), "l/AAAA"),
      /file lower/,
      "all",
    ],
    [
      "only a link",
      "structure",
      ({ at, lower }) => unlinkSync(at("overlay/l", readFileSync(at("overlay", lower, "link"), "utf8"))),
      /its link l\/\S+ is missing/,
      "none",
    ],
    [
      "the record of a layer",
      "structure",
      ({ at, lower }) => dropRecord(at("overlay-layers/layers.json"), lower),
      /layer \S+ below it is missing/,
      "all",
    ],
    [
      "the record of an image",
      "structure",
      ({ at, image }) => dropRecord(at("overlay-images/images.json"), image),
      /its image \S+ is missing/,
      "all",
    ],
    [
      "an image's data",
      "structure",
      ({ at, image }) => rmSync(at("overlay-images", image, "manifest")),
      /its data manifest is missing/,
      "all",
    ],
    [
      "an image's data that was cut off",
      "structure",
      ({ at, image }) => truncateSync(at("overlay-images", image, "manifest"), 3),
      /its data manifest has 3 bytes/,
      "all",
    ],
    [
      "a bit of an image's data",
      "digests",
      ({ at, image }) => flip(at("overlay-images", image, "manifest")),
      /its data manifest has another digest/,
      "all",
    ],
    [
      "a bit of a file",
      "digests",
      ({ at, lower }) => flip(at("overlay", lower, "diff/big")),
      /"big" has another content/,
      "all",
    ],
    [
      "a file",
      "digests",
      ({ at, lower }) => unlinkSync(at("overlay", lower, "diff/implied/deep/file")),
      /"implied\/deep\/file" is missing/,
      "all",
    ],
    [
      "the end of a file",
      "digests",
      ({ at, upper }) => truncateSync(at("overlay", upper, "diff/etc/hosts")),
      /"etc\/hosts" has 0 bytes in place of 3/,
      "all",
    ],
    [
      "a tar-split that was cut off",
      "digests",
      ({ at, lower }) => truncateSync(at("overlay-layers", `${lower}.tar-split.gz`), 100),
      /tar-split is damaged/,
      "all",
    ],
    [
      "a tar-split that a crash left empty",
      "digests",
      ({ at, lower }) => truncateSync(at("overlay-layers", `${lower}.tar-split.gz`)),
      /tar-split is damaged|another digest/,
      "all",
    ],
    [
      "the mode of a file",
      "contents",
      ({ at, lower }) => chmodSync(at("overlay", lower, "diff/big"), 0o666),
      /"big" has mode 0666 in place of 0644/,
      "all",
    ],
    [
      "a file too many",
      "contents",
      ({ at, lower }) => writeFileSync(at("overlay", lower, "diff/etc/more"), ""),
      /"etc\/more" was not in the layer/,
      "all",
    ],
    [
      "a link in a tree",
      "contents",
      ({ at, lower }) => unlinkSync(at("overlay", lower, "diff/etc/link")),
      /"etc\/link" is missing/,
      "all",
    ],
  ];
  for (const [what, depth, damage, words, goes] of faults) {
    it(`finds damage of ${what}, and repairs it`, async () => {
      using it = await scene();
      const other = await putImage(it.store, "example.com/b:1", [{ name: "other", content: "o" }]);
      damage(it);
      touchRecords(it);
      const options = { ...wholly, depth };
      const depths = ["structure", "digests", "contents"] as const;
      for (const less of depths.slice(0, depths.indexOf(depth)))
        assert.equal(said(await it.store.check({ ...options, depth: less })), "");
      const report = await it.store.check(options);
      assert.match(said(report), words);
      const stays = await it.store.repair(report, { ...options, removesContainer: () => false });
      if (goes === "all")
        assert.deepEqual(
          (await it.store.containers()).map(({ id }) => id),
          [it.container],
          "without leave",
        );
      else assert.deepEqual(stays.left, []);
      const { left } = await it.store.repair(await it.store.check(options), {
        ...options,
        removesContainer: () => true,
      });
      assert.deepEqual(left, []);
      assert.ok(isSound(await it.store.check(options)));
      const images = (await it.store.images()).map(({ id }) => id).toSorted();
      assert.deepEqual(images, (goes === "all" ? [other] : [other, it.image]).toSorted());
      assert.equal((await it.store.containers()).length, goes === "all" ? 0 : 1);
      await it.store.close();
    });
  }

  it("finds directories of layers that no record knows, and removes them", async () => {
    using it = await scene();
    const stray = "5".repeat(64);
    mkdirSync(it.at("overlay", stray, "diff"), { recursive: true });
    const report = await it.store.check(wholly);
    assert.deepEqual(report.strays, [stray]);
    await it.store.repair(report, { ...wholly, removesContainer: () => false });
    assert.ok(!existsSync(it.at("overlay", stray)));
    assert.ok(isSound(await it.store.check(wholly)));
  });

  it("calls a layer that nothing uses damage when it is old, and not before", async () => {
    using it = await scene();
    const [lower = "", upper = ""] = await putLayers(
      it.store,
      [{ name: "l", content: "l" }],
      [{ name: "u", content: "u" }],
    );
    assert.ok(isSound(await it.store.check(wholly)));
    const options = { ...wholly, unusedForMs: 0 };
    const report = await it.store.check(options);
    assert.deepEqual([...report.layers.keys()].toSorted(), [lower, upper].toSorted());
    assert.deepEqual(report.images.size + report.containers.size, 0);
    const { removed, left } = await it.store.repair(report, { ...options, removesContainer: () => false });
    assert.deepEqual([removed.layer.length, left.length], [2, 0]);
    assert.deepEqual(await it.store.layer(lower), undefined);
  });

  it("leaves the store as it was, however often it looks", async () => {
    using it = await scene();
    const tree = () =>
      readdirSync(it.at(), { recursive: true })
        .map(String)
        .filter((path) => !/\.lock$/.test(path))
        .toSorted();
    const before = tree();
    for (const depth of ["structure", "digests", "contents"] as const) await it.store.check({ ...wholly, depth });
    assert.deepEqual(tree(), before);
  });
}

function wipeTests(): void {
  it("removes everything, also what cannot be opened, and leaves a place for the next", async () => {
    using it = await scene();
    await it.store.close();
    writeFileSync(it.at("overlay-layers/layers.json"), "[{");
    const paths = { graphRoot: it.at(), runRoot: it.at("../run"), log: silentLogger };
    await wipeStore({ ...paths, force: false });
    assert.ok(!existsSync(it.at()));
    const store = await openTestStore(it.at(".."), { log: silentLogger });
    assert.deepEqual([await store.images(), await store.containers()], [[], []]);
    await store.close();
    await wipeStore({ ...paths, force: false });
    await wipeStore({ ...paths, force: false });
  });

  it("refuses while a container is mounted, having changed nothing, unless forced", async () => {
    using it = await scene();
    await it.store.mountContainer(it.container);
    const paths = { graphRoot: it.at(), runRoot: it.at("../run"), log: silentLogger };
    await assert.rejects(wipeStore({ ...paths, force: false }), (error) => isFault(error, "precondition"));
    assert.equal((await it.store.images()).length, 1);
    await wipeStore({ ...paths, force: true });
    assert.ok(!existsSync(it.at()));
  });

  it("keeps podman's volumes, and a file system that is mounted as the store", async () => {
    using tmp = freshTmpfs();
    const root = join(tmp.path, "root");
    mkdirSync(root);
    mountTmpfs({ target: root, mode: "0700", flags: [] });
    const store = await openTestStore(tmp.path, { log: silentLogger });
    await putImage(store, "example.com/a:1", base);
    await store.close();
    mkdirSync(join(root, "volumes/v/_data"), { recursive: true });
    mkdirSync(join(root, "artifacts"));
    await wipeStore({ graphRoot: root, runRoot: join(tmp.path, "run"), log: silentLogger, force: false });
    assert.deepEqual(readdirSync(root), ["volumes"]);
    assert.ok(existsSync(join(root, "volumes/v/_data")));
  });
}

function flip(path: string): void {
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

function dropRecord(path: string, id: string): void {
  const records = JSON.parse(readFileSync(path, "utf8")) as { readonly id: string }[];
  writeFileSync(path, JSON.stringify(records.filter((record) => record.id !== id)));
}

/** Changed by hand, the records count as changed: other programs write a token. */
function touchRecords({ at }: Scene): void {
  for (const name of ["overlay-layers/layers.lock", "overlay-images/images.lock"]) writeFileSync(at(name), newId());
}
