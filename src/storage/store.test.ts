import assert from "node:assert/strict";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { Fault, type FaultCode, isFault, newId } from "../base/index.ts";
import { bindMount, mountEntryOf, runProgramOk, unmount } from "../host/index.ts";
import { digestHex, digestOf } from "../oci/index.ts";
import { freshTmpfs, hasPrivateMounts, runInPrivateMounts } from "./testing/private-mounts.ts";
import { json, openTestStore, putImage, putLayers, signal, treeOf } from "./testing/test-store.ts";
import { headerBlock, tarMembers, tarOf } from "./unpack/tar-writer.test-support.ts";
import { chunksOf } from "./unpack/unpack.test-support.ts";

if (!hasPrivateMounts()) {
  it("the store passes its tests in a mount namespace of its own", () => runInPrivateMounts(import.meta.url));
} else {
  describe("a store", storeTests);
}

function faulted(code: FaultCode, words: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(isFault(error), String(error));
    assert.match(error.message, words);
    assert.equal(error.code, code);
    return true;
  };
}

const base = [
  { name: "etc/", type: "5", mode: 0o755 },
  { name: "etc/hosts", content: "base" },
  { name: "old", content: "to be deleted" },
  { name: "dir/", type: "5" },
  { name: "dir/hidden", content: "x" },
];
const top = [
  { name: "etc/hosts", content: "top" },
  { name: ".wh.old" },
  { name: "dir/.wh..wh..opq" },
  { name: "dir/new" },
];

function storeTests(): void {
  it("writes layers as containers/storage does", async () => {
    using tmp = freshTmpfs();
    const store = await openTestStore(tmp.path);
    const tars = [tarOf(...base), tarOf(...top)];
    const ids = await putLayers(store, base, top);
    const [lower = "", upper = ""] = ids;
    assert.equal(lower, digestHex(digestOf(tars[0] ?? Buffer.alloc(0))));
    const overlay = join(tmp.path, "root/overlay");
    const link = readFileSync(join(overlay, lower, "link"), "utf8");
    const upperLink = readFileSync(join(overlay, upper, "link"), "utf8");
    assert.match(link, /^[A-Z2-7]{26}$/);
    assert.equal(readlinkSync(join(overlay, "l", link)), `../${lower}/diff`);
    assert.equal(readlinkSync(join(overlay, "l", upperLink)), `../${upper}/diff`);
    assert.equal(readFileSync(join(overlay, upper, "lower"), "utf8"), `l/${link}`);
    assert.deepEqual(readdirSync(join(overlay, lower)).sort(), ["diff", "empty", "link", "merged", "work"]);
    assert.deepEqual(readdirSync(join(overlay, upper)).sort(), ["diff", "link", "lower", "merged", "work"]);
    const mode = (path: string) => (statSync(join(tmp.path, path)).mode & 0o7777).toString(8);
    assert.deepEqual(
      ["root", "run", "root/overlay", "root/overlay/l", "root/overlay-layers", "root/overlay-images"].map(mode),
      ["700", "700", "700", "755", "700", "700"],
    );
    assert.deepEqual(
      ["", "/diff", "/work", "/merged", "/empty", "/link"].map((name) => mode(`root/overlay/${lower}${name}`)),
      ["700", "555", "700", "700", "700", "644"],
    );
    assert.equal(readFileSync(join(overlay, ".has-mount-program"), "utf8"), "false");
    const [first, second] = json(join(tmp.path, "root/overlay-layers/layers.json"));
    const digest = digestOf(tars[0] ?? Buffer.alloc(0));
    const size = tars[0]?.length;
    assert.deepEqual(
      Object.entries(first ?? {}).filter(([key]) => key !== "created"),
      [
        ["id", lower],
        ["compressed-diff-digest", digest],
        ["compressed-size", size],
        ["diff-digest", digest],
        ["diff-size", size],
        ["uidset", [0]],
        ["gidset", [0]],
      ],
    );
    assert.match(String(first?.created), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/);
    assert.equal(second?.parent, lower);
    assert.equal(mode("root/overlay-layers/layers.json"), "600");
    assert.equal(mode(`root/overlay-layers/${lower}.tar-split.gz`), "600");
    assert.equal(readFileSync(join(tmp.path, "root/overlay-layers/layers.lock")).length, 64);
    assert.deepEqual(leftovers(tmp.path), []);
    await store.close();
  });

  it("gives a layer the owner and mode of its parent's root, or what its archive says", async () => {
    using tmp = freshTmpfs();
    const store = await openTestStore(tmp.path);
    const ids = await putLayers(store, [{ name: "./", type: "5", mode: 0o1777, uid: 5, gid: 6 }], [{ name: "x" }]);
    for (const id of ids) {
      const { mode, uid, gid } = statSync(join(tmp.path, "root/overlay", id, "diff"));
      assert.deepEqual([mode & 0o7777, uid, gid], [0o1777, 5, 6]);
    }
    await store.close();
  });

  it("mounts a container's layers on top of each other, with whiteouts in effect, and counts", async () => {
    using tmp = freshTmpfs();
    const store = await openTestStore(tmp.path, { driverOptions: ["overlay.mountopt=nodev,metacopy=on"] });
    const imageId = await putImage(store, "example.com/a:1", base, top);
    const id = newId();
    const container = await store.createContainer({
      id,
      names: ["k8s_a_b", "other"],
      imageId,
      metadata: '{"pod-name":"p"}',
    });
    const path = await store.mountContainer(id);
    assert.equal(path, join(tmp.path, "root/overlay", container.layerId, "merged"));
    assert.deepEqual(readdirSync(path).sort(), ["dir", "etc"]);
    assert.deepEqual(readdirSync(join(path, "dir")), ["new"]);
    assert.equal(readFileSync(join(path, "etc/hosts"), "utf8"), "top");
    writeFileSync(join(path, "written"), "by the container");
    const entry = await mountEntryOf(path);
    assert.ok(entry?.superOptions.some((option) => /^(?:fsync=)?volatile$/.test(option)));
    assert.ok(entry?.superOptions.includes("metacopy=on"));
    assert.ok(entry?.options.includes("nodev"));
    const counts = () => json(join(tmp.path, "run/overlay-layers/mountpoints.json"));
    assert.deepEqual(counts(), [{ id: container.layerId, path, count: 1 }]);
    assert.equal(await store.mountContainer(id), path);
    assert.deepEqual(counts(), [{ id: container.layerId, path, count: 2 }]);
    await store.unmountContainer(id, { countDown: true });
    assert.ok(await mountEntryOf(path));
    await store.unmountContainer(id);
    assert.equal(await mountEntryOf(path), undefined);
    assert.deepEqual(counts(), []);
    await store.unmountContainer(id);
    await store.unmountContainer("nobody");
    await store.mountContainer(id); // a volatile mount again
    assert.equal(readFileSync(join(path, "written"), "utf8"), "by the container");
    assert.ok((await store.containerUsage(id)).inodes >= 2n);
    await store.deleteContainer(id);
    await store.close();
  });

  it("mounts a layer read-only with all below it, once however often it is asked, and unmounts it with the last", async () => {
    using tmp = freshTmpfs();
    const store = await openTestStore(tmp.path);
    const [lower = "", upper = ""] = await putLayers(store, base, top);
    const [path, again] = await Promise.all([store.mountLayer(upper), store.mountLayer(upper)]);
    assert.equal(path, join(tmp.path, "root/overlay", upper, "merged"));
    assert.equal(again, path);
    assert.deepEqual(readdirSync(path).sort(), ["dir", "etc"]);
    assert.equal(readFileSync(join(path, "etc/hosts"), "utf8"), "top");
    assert.throws(() => writeFileSync(join(path, "new"), ""), { code: "EROFS" });
    for (const option of ["ro", "nodev", "nosuid", "noexec"]) {
      assert.ok((await mountEntryOf(path))?.options.includes(option), option);
    }
    const below = await store.mountLayer(lower);
    assert.deepEqual(readdirSync(below).sort(), ["dir", "etc", "old"]);
    const counts = () => json(join(tmp.path, "run/overlay-layers/mountpoints.json"));
    assert.deepEqual(
      counts().map(({ id, count }) => [id, count]),
      [
        [upper, 2],
        [lower, 1],
      ],
    );
    await store.unmountLayer(upper);
    assert.ok(await mountEntryOf(path));
    await store.unmountLayer(upper);
    assert.equal(await mountEntryOf(path), undefined);
    await store.unmountLayer(upper);
    await store.unmountLayer(lower);
    await store.unmountLayer("f".repeat(64));
    assert.deepEqual(counts(), []);
    await assert.rejects(store.mountLayer("f".repeat(64)), faulted("not-found", /is not in the store/));
    await store.close();
  });

  it("mounts a layer for a user namespace in a container's directory, with which it goes", async () => {
    using tmp = freshTmpfs();
    const store = await openTestStore(tmp.path);
    const imageId = await putImage(store, "example.com/a:1", base, top);
    const layer = (await store.image(imageId))?.layer ?? "";
    const id = newId();
    await store.createContainer({ id, names: ["k8s_a"], imageId, metadata: "{}" });
    const directory = join(store.containerRunDir(id), "image");
    const path = await store
      .mountLayerMapped(layer, { directory, userNamespace: "/proc/self/ns/user" })
      .catch((error) => {
        assert.match(String(error), /with the owners of/); // the first user namespace maps nothing: a real one is in tests/host
      });
    assert.deepEqual(readdirSync(directory).includes("mapped"), false);
    if (path !== undefined) assert.deepEqual(readdirSync(path).sort(), ["dir", "etc"]);
    const gone = store.mountLayerMapped("f".repeat(64), { directory, userNamespace: "/proc/self/ns/user" });
    await assert.rejects(gone, faulted("not-found", /is not in the store/));
    await store.deleteContainer(id);
    assert.ok(!existsSync(directory));
    await store.close();
  });

  it("removes an image that is mounted, as containers/storage does, with its mount", async () => {
    using tmp = freshTmpfs();
    const store = await openTestStore(tmp.path);
    const id = await putImage(store, "example.com/a:1", base);
    const path = await store.mountLayer((await store.image(id))?.layer ?? "");
    await store.removeImage(id);
    assert.equal(await mountEntryOf(path), undefined);
    assert.deepEqual(json(join(tmp.path, "run/overlay-layers/mountpoints.json")), []);
    await store.close();
  });

  it("records containers as CRI-O does, and leaves nothing of them", async () => {
    using tmp = freshTmpfs();
    const store = await openTestStore(tmp.path);
    const imageId = await putImage(store, "example.com/a:1", base);
    const before = treeOf(tmp.path);
    const id = newId();
    const { layerId } = await store.createContainer({ id, names: ["k8s_a_b"], imageId, metadata: "m" });
    const containers = join(tmp.path, "root/overlay-containers");
    const [record] = json(join(containers, "volatile-containers.json"));
    assert.deepEqual(
      Object.entries(record ?? {}).filter(([key]) => key !== "created"),
      [
        ["id", id],
        ["names", ["k8s_a_b"]],
        ["image", imageId],
        ["layer", layerId],
        ["metadata", "m"],
        ["flags", { MountLabel: "", ProcessLabel: "", Volatile: true }],
      ],
    );
    const [layer] = json(join(tmp.path, "root/overlay-layers/volatile-layers.json"));
    assert.deepEqual(Object.keys(layer ?? {}), ["id", "names", "parent", "created"]);
    assert.deepEqual([layer?.id, layer?.names], [layerId, ["k8s_a_b-layer"]]);
    for (const path of [store.containerDir(id), store.containerRunDir(id)]) {
      assert.equal(statSync(path).mode & 0o777, 0o700);
      mkdirSync(join(path, "sub/deep"), { recursive: true });
    }
    await store.setContainerMetadata(id, "changed");
    assert.equal((await store.container(id))?.metadata, "changed");
    assert.deepEqual((await store.findContainer("k8s_a_b"))?.id, id);
    await store.mountContainer(id);
    await store.deleteContainer(id);
    await store.deleteContainer(id);
    const after = treeOf(tmp.path).filter((path) => !/(?:mountpoints|volatile-\w+)\.json$|\/tmp$|tempdirs$/.test(path));
    assert.deepEqual(
      after,
      before.filter((path) => !/\/tmp$|tempdirs$/.test(path)),
    );
    assert.deepEqual(json(join(containers, "volatile-containers.json")), []);
    await store.close();
  });

  it("keeps ids and names of containers apart", async () => {
    using tmp = freshTmpfs();
    const store = await openTestStore(tmp.path);
    const id = newId();
    await store.createContainer({ id, names: ["a", "b"], metadata: "" });
    await assert.rejects(store.createContainer({ id, names: ["c"], metadata: "" }), faulted("exists", /store already/));
    await assert.rejects(
      store.createContainer({ id: newId(), names: ["b"], metadata: "" }),
      faulted("exists", /"b" is in use/),
    );
    await assert.rejects(
      store.createContainer({ id: newId(), names: [], metadata: "", imageId: newId() }),
      faulted("not-found", /no image/),
    );
    for (const bad of ["../x", "", ".", "a/b", "a\0b", "x".repeat(300)]) {
      await assert.rejects(
        store.createContainer({ id: bad, names: [], metadata: "" }),
        faulted("invalid", /not the id/),
      );
      assert.throws(() => store.containerDir(bad), faulted("invalid", /not the id/));
    }
    assert.equal((await store.containers()).length, 1);
    assert.deepEqual(readdirSync(await store.mountContainer(id)), []);
    await store.deleteContainer(id);
    assert.equal(readdirSync(join(tmp.path, "root/overlay")).filter((name) => /^[0-9a-f]{64}$/.test(name)).length, 0);
    await store.close();
  });

  it("removes a container whose creation was cut off before it was recorded", async () => {
    using tmp = freshTmpfs();
    const store = await openTestStore(tmp.path);
    const id = newId();
    await store.createContainer({ id, names: ["a"], metadata: "" });
    const file = join(tmp.path, "root/overlay-containers/volatile-containers.json");
    writeFileSync(file, "[]");
    writeFileSync(join(tmp.path, "root/overlay-containers/containers.lock"), "changed");
    assert.equal(await store.container(id), undefined);
    await store.deleteContainer(id);
    assert.deepEqual(json(join(tmp.path, "root/overlay-layers/volatile-layers.json")), []);
    assert.equal(existsSync(join(store.containerDir(id), "..")), false);
    await store.close();
  });

  it("empties nothing that is mounted below what it removes", async () => {
    using tmp = freshTmpfs();
    const store = await openTestStore(tmp.path);
    const precious = join(tmp.path, "precious");
    mkdirSync(precious);
    writeFileSync(join(precious, "file"), "stays");
    const id = newId();
    await store.createContainer({ id, names: [], metadata: "" });
    const merged = await store.mountContainer(id);
    for (const path of [
      join(store.containerRunDir(id), "mounts"),
      join(store.containerDir(id), "m"),
      join(merged, "in"),
    ]) {
      mkdirSync(path);
      bindMount(precious, path);
    }
    symlinkSync(precious, join(store.containerDir(id), "link"));
    await store.deleteContainer(id);
    assert.equal(readFileSync(join(precious, "file"), "utf8"), "stays");
    assert.equal(await store.container(id), undefined);
    await store.close();
  });

  it("removes trees whose paths are longer than a path may be", async () => {
    using tmp = freshTmpfs();
    const store = await openTestStore(tmp.path);
    const id = newId();
    await store.createContainer({ id, names: [], metadata: "" });
    const merged = await store.mountContainer(id);
    const here = process.cwd();
    process.chdir(merged);
    for (let depth = 0; depth < 60; depth++) {
      mkdirSync("d".repeat(200));
      for (let n = 0; n < 3; n++) mkdirSync(`side-${n}`);
      writeFileSync("file", "x");
      process.chdir("d".repeat(200));
    }
    process.chdir(here);
    await store.deleteContainer(id);
    assert.deepEqual(leftovers(tmp.path), []);
    await store.close();
  });

  it("moves names between images, and remembers them", async () => {
    using tmp = freshTmpfs();
    const store = await openTestStore(tmp.path);
    const first = await putImage(store, "example.com/a:1", base);
    const second = await putImage(store, "example.com/b:1", base, top);
    await store.setImageNames(second, ["example.com/a:1", "example.com/b:1"]);
    assert.deepEqual((await store.image(first))?.names, []);
    assert.deepEqual((await store.image(first))?.namesHistory, ["example.com/a:1"]);
    assert.deepEqual((await store.image(second))?.names, ["example.com/a:1", "example.com/b:1"]);
    assert.equal((await store.findImage("example.com/a:1"))?.id, second);
    assert.equal((await store.findImage(first))?.id, first);
    assert.equal((await store.findImage(first.slice(0, 8)))?.id, first);
    assert.equal(await store.findImage("nothing"), undefined);
    assert.equal(await store.findImage(""), undefined);
    await store.setImageNames(second, []);
    assert.deepEqual((await store.image(second))?.namesHistory, ["example.com/a:1", "example.com/b:1"]);
    await assert.rejects(store.setImageNames(newId(), ["x"]), faulted("not-found", /no image/));
    const again = await putImage(store, "example.com/c:1", base);
    assert.notEqual(again, first);
    await store.close();
  });

  it("records images with their data where others look for it", async () => {
    using tmp = freshTmpfs();
    const store = await openTestStore(tmp.path);
    const id = await putImage(store, "example.com/a:1", base, top);
    const image = await store.image(id);
    const config = await store.imageConfig(id);
    const manifest = await store.imageManifest(id);
    assert.equal(digestHex(digestOf(config)), id);
    const directory = join(tmp.path, "root/overlay-images", id);
    const encoded = (key: string) => `=${Buffer.from(key).toString("base64")}`;
    const manifestKey = `manifest-${image?.digest}`;
    assert.deepEqual(readdirSync(directory).sort(), [encoded(manifestKey), encoded(`sha256:${id}`), "manifest"].sort());
    assert.deepEqual(image?.digests, [image?.digest]);
    const [record] = json(join(tmp.path, "root/overlay-images/images.json"));
    assert.deepEqual(record?.["big-data-sizes"], {
      [`sha256:${id}`]: config.length,
      [manifestKey]: manifest?.length,
      manifest: manifest?.length,
    });
    assert.deepEqual(record?.["big-data-digests"], {
      [`sha256:${id}`]: `sha256:${id}`,
      [manifestKey]: image?.digest,
      manifest: image?.digest,
    });
    const layers = tarOf(...base).length + tarOf(...top).length;
    assert.equal(await store.imageSize(id), BigInt(layers + config.length + 2 * (manifest?.length ?? 0)));
    assert.equal(await store.imageData(id, "nothing"), undefined);
    assert.equal(await store.imageData(newId(), "manifest"), undefined);
    const chain = await store.layersOf(id);
    assert.deepEqual([chain.length, chain[0]?.parent], [2, chain[1]?.id]);
    await assert.rejects(
      store.createImage({ id, names: [], data: [{ key: "..", bytes: Buffer.alloc(1) }], layer: chain[0]?.id ?? "" }),
      faulted("invalid", /data item/),
    );
    await assert.rejects(store.createImage({ id, names: [], data: [] }), faulted("exists", /other layers/));
    await assert.rejects(
      store.createImage({ id: newId(), names: [], data: [], layer: newId() }),
      faulted("not-found", /layer/),
    );
    await store.close();
  });

  it("removes layers that nothing needs, and no others", async () => {
    using tmp = freshTmpfs();
    const store = await openTestStore(tmp.path);
    const image = await putImage(store, "example.com/a:1", base);
    const [shared = ""] = (await store.layersOf(image)).map(({ id }) => id);
    const ids = await putLayers(store, base, top, [{ name: "more", content: "x" }]);
    assert.equal(ids[0], shared);
    const [, second = "", third = ""] = ids;
    assert.deepEqual(await store.removeUnusedLayers([shared, second]), [], "the third stands on the second");
    assert.deepEqual(await store.removeUnusedLayers([third]), [third], "only what was named");
    assert.deepEqual(await store.removeUnusedLayers([newId(), ...ids]), [second]);
    assert.equal(await store.hasLayer(shared), true);
    await store.close();
  });

  it("removes an image with the layers that nothing else needs", async () => {
    using tmp = freshTmpfs();
    const store = await openTestStore(tmp.path);
    const empty = treeOf(join(tmp.path, "root"));
    const first = await putImage(store, "example.com/a:1", base);
    const second = await putImage(store, "example.com/b:1", base, top);
    const layers = (await store.layersOf(second)).map(({ id }) => id);
    const id = newId();
    await store.createContainer({ id, names: [], metadata: "", imageId: second });
    await assert.rejects(
      store.removeImage(second),
      faulted("precondition", new RegExp(`^image used by ${id}: image is in use`)),
    );
    await store.deleteContainer(id);
    assert.deepEqual(await store.removeImage(second), [layers[0]]);
    assert.equal(await store.hasLayer(layers[1] ?? ""), true);
    assert.deepEqual(await store.removeImage(first), [layers[1]]);
    assert.deepEqual(await store.removeImage(first), []);
    const left = treeOf(join(tmp.path, "root")).filter((path) => !/\.json$|tempdirs$|\/tmp$/.test(path));
    assert.deepEqual(left, empty);
    await store.close();
  });

  it("removes an image without the layers that somebody wants, and what stands on them", async () => {
    using tmp = freshTmpfs();
    const store = await openTestStore(tmp.path);
    const layers = await putLayers(store, base, top);
    const image = await putImage(store, "example.com/a:1", base, top);
    const isWanted = (id: string) => id === layers[0];
    assert.deepEqual(await store.removeImage(image, { isWanted }), [layers[1]]);
    assert.equal(await store.hasLayer(layers[0] ?? ""), true);
    assert.deepEqual(await store.removeUnusedLayers(layers), [layers[0]]);
    await store.close();
  });

  it("keeps a committed layer when the same comes again, and refuses one without its parent", async () => {
    using tmp = freshTmpfs();
    const store = await openTestStore(tmp.path);
    const [id = ""] = await putLayers(store, base);
    const inode = statSync(join(tmp.path, "root/overlay", id)).ino;
    await putLayers(store, base);
    assert.equal(statSync(join(tmp.path, "root/overlay", id)).ino, inode);
    const staged = await store.stageLayer(chunksOf(gzipSync(tarOf(...top)), 100), { signal });
    assert.deepEqual([staged.compression, staged.diffId], ["gzip", digestOf(tarOf(...top))]);
    await assert.rejects(store.commitLayer(staged, { id: newId(), parent: newId() }), faulted("not-found", /parent/));
    await staged.discard();
    await staged.discard();
    assert.deepEqual(leftovers(tmp.path), []);
    await store.close();
  });

  it("leaves nothing behind when a layer cannot be unpacked, however that comes", async () => {
    using tmp = freshTmpfs();
    const store = await openTestStore(tmp.path);
    const half = tarOf({ name: "a", content: "x".repeat(5000) }, { name: "b/c", content: "y".repeat(9000) });
    await assert.rejects(
      store.stageLayer(chunksOf(half.subarray(0, 8000), 512), { signal }),
      faulted("corrupt", /entry "b\/c"/),
    );
    const controller = new AbortController();
    const endless = (async function* () {
      yield headerBlock({ name: "endless", size: 2 ** 33 });
      for (let n = 0; ; n++) {
        if (n === 20) controller.abort(new Fault("cancelled", "not wanted any more"));
        yield Buffer.alloc(65_536, n);
      }
    })();
    await assert.rejects(store.stageLayer(endless, { signal: controller.signal }), faulted("cancelled", /not wanted/));
    await assert.rejects(
      store.stageLayer(chunksOf(half, 512), { signal: AbortSignal.abort(new Fault("cancelled", "before")) }),
      /before/,
    );
    const [good] = await putLayers(store, base);
    assert.ok(good);
    assert.deepEqual(leftovers(tmp.path), []);
    await store.close();
  });

  it("says so when the disk is full, and gives back what it had taken", async () => {
    using tmp = freshTmpfs(8 * 2 ** 20);
    const store = await openTestStore(tmp.path);
    const big = tarOf({ name: "small", content: "x" }, { name: "too/big", content: Buffer.alloc(12 * 2 ** 20, 1) });
    await assert.rejects(
      store.stageLayer(chunksOf(big, 65_536), { signal }),
      faulted("exhausted", /entry "too\/big".*ENOSPC/),
    );
    assert.deepEqual(leftovers(tmp.path), []);
    await putLayers(store, base);
    await store.close();
  });

  it("stages several layers at once, and ends them all when it closes", async () => {
    using tmp = freshTmpfs();
    const store = await openTestStore(tmp.path);
    const slow = Array.from({ length: 4 }, async (_, n) => {
      const stuck = (async function* () {
        yield tarMembers({ name: `f${n}`, content: "x" });
        await new Promise(() => {});
      })();
      await assert.rejects(store.stageLayer(stuck, { signal }), faulted("unavailable", /being closed/));
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    await store.close();
    await Promise.all(slow);
    assert.deepEqual(leftovers(tmp.path), []);
    await assert.rejects(store.stageLayer(chunksOf(tarOf(), 1), { signal }), faulted("unavailable", /being closed/));
  });

  it("removes at the next start what a crash left", async () => {
    using tmp = freshTmpfs();
    const store = await openTestStore(tmp.path);
    const [id = ""] = await putLayers(store, base);
    const container = newId();
    const { layerId } = await store.createContainer({ id: container, names: [], metadata: "" });
    await store.mountContainer(container);
    await store.close();
    const root = join(tmp.path, "root");
    mkdirSync(join(root, "overlay/tempdirs/temp-dir-123/0-addition/diff"), { recursive: true });
    writeFileSync(join(root, "overlay/tempdirs/lock-123"), "");
    mkdirSync(join(root, "overlay-layers/tmp/temp-dir-9"), { recursive: true });
    const layersFile = join(root, "overlay-layers/layers.json");
    const [layer] = json(layersFile);
    const lost = { ...layer, id: "ab".repeat(32), parent: id, flags: { incomplete: true }, "x-other-tool": 1 };
    mkdirSync(join(root, "overlay", lost.id, "diff"), { recursive: true });
    writeFileSync(layersFile, JSON.stringify([layer, lost]));
    unmount(join(root, "overlay", layerId, "merged"), { detach: true });
    const places = ["overlay", "overlay-layers", "overlay-images", "overlay-containers"].map((name) =>
      join(root, name),
    );
    const unfinished = [...places, join(tmp.path, "run/overlay-layers")].map((directory) =>
      join(directory, `.tmp-${2 ** 31 - 1}-0123456789abcdef`),
    );
    for (const path of unfinished) writeFileSync(path, "");
    const again = await openTestStore(tmp.path);
    assert.deepEqual(leftovers(tmp.path), []);
    assert.deepEqual(
      unfinished.filter((path) => existsSync(path)),
      [],
    );
    assert.equal(await again.layer(lost.id), undefined);
    assert.equal(existsSync(join(root, "overlay", lost.id)), false);
    assert.equal(await again.hasLayer(id), true);
    assert.deepEqual(json(join(tmp.path, "run/overlay-layers/mountpoints.json")), []);
    await again.mountContainer(container);
    assert.equal(json(join(tmp.path, "run/overlay-layers/mountpoints.json"))[0]?.count, 1);
    await again.deleteContainer(container);
    await again.close();
  });

  it("keeps what other programs write into records, and sees their changes", async () => {
    using tmp = freshTmpfs();
    const store = await openTestStore(tmp.path);
    const id = await putImage(store, "example.com/a:1", base);
    const file = join(tmp.path, "root/overlay-images/images.json");
    const [record] = json(file);
    const foreign = { id: "not/an id", names: ["x"], note: "kept" };
    const text = JSON.stringify([{ ...record, "x-new": { deep: [1] }, names: ["example.com/z:9"] }, foreign]);
    writeFileSync(file, text.replace('"x-new":{', '"x-large":9223372036854775807,"x-new":{"__proto__":{"a":1},'));
    writeFileSync(join(tmp.path, "root/overlay-images/images.lock"), "another token");
    assert.deepEqual((await store.image(id))?.names, ["example.com/z:9"]);
    await store.setImageNames(id, ["example.com/new:1"]);
    const after = readFileSync(file, "utf8");
    assert.match(after, /"x-large":9223372036854775807,"x-new":\{"__proto__":\{"a":1\},"deep":\[1\]\}/);
    assert.match(after, /\{"id":"not\/an id","names":\["x"\],"note":"kept"\}/);
    writeFileSync(file, "{ not json");
    writeFileSync(join(tmp.path, "root/overlay-images/images.lock"), "yet another");
    await assert.rejects(store.images(), faulted("corrupt", /images\.json/));
    await store.close();
  });

  it("is shared with other processes, and nobody loses what another wrote", async () => {
    using tmp = freshTmpfs();
    const store = await openTestStore(tmp.path);
    const imageId = await putImage(store, "example.com/a:1", base, top);
    const others = ["one", "two"].map((name) => inAnotherProcess(tmp.path, "share", name, imageId));
    const kept: string[] = [];
    for (let n = 0; n < 8; n++) {
      const id = newId();
      await store.createContainer({ id, names: [`main-${n}`], imageId, metadata: "" });
      await store.mountContainer(id);
      if (n % 2 === 0) await store.deleteContainer(id);
      else kept.push(id);
    }
    const theirs = (await Promise.all(others)).flatMap((text) => JSON.parse(text) as string[]);
    assert.equal(theirs.length, 8);
    const ids = (await store.containers()).map(({ id }) => id);
    assert.deepEqual(ids.toSorted(), [...kept, ...theirs].toSorted());
    const layers = json(join(tmp.path, "root/overlay-layers/volatile-layers.json"));
    assert.equal(layers.length, 12);
    assert.equal(json(join(tmp.path, "run/overlay-layers/mountpoints.json")).length, 12);
    assert.deepEqual((await store.image(imageId))?.names.toSorted(), [
      "example.com/a:1",
      "example.com/one:3",
      "example.com/two:3",
    ]);
    for (const id of ids) await store.deleteContainer(id);
    assert.deepEqual(json(join(tmp.path, "run/overlay-layers/mountpoints.json")), []);
    await store.close();
  });

  it("survives a process that is killed while it unpacks", async () => {
    using tmp = freshTmpfs();
    await assert.rejects(inAnotherProcess(tmp.path, "unpack-and-die"), /SIGKILL|killed|signal 9/i);
    assert.equal(leftovers(tmp.path).length, 4);
    const store = await openTestStore(tmp.path);
    assert.deepEqual(leftovers(tmp.path), []);
    await putLayers(store, base);
    await store.close();
  });

  it("answers unchanged reads from memory", async () => {
    using tmp = freshTmpfs();
    const store = await openTestStore(tmp.path);
    await putImage(store, "example.com/a:1", base);
    const images = await store.images();
    assert.equal(await store.images(), images);
    await store.close();
  });

  it("takes the private mount away with it, unless a container is mounted", async () => {
    using tmp = freshTmpfs();
    const home = join(tmp.path, "root/overlay");
    const store = await openTestStore(tmp.path);
    assert.deepEqual((await mountEntryOf(home))?.propagation, {});
    const id = newId();
    await store.createContainer({ id, names: [], metadata: "" });
    await store.mountContainer(id);
    await store.close();
    assert.ok(await mountEntryOf(home));
    const again = await openTestStore(tmp.path);
    await again.deleteContainer(id);
    await again.close();
    assert.equal(await mountEntryOf(home), undefined);
    const bare = await openTestStore(tmp.path, { driverOptions: ["overlay.skip_mount_home=true"] });
    assert.equal(await mountEntryOf(home), undefined);
    await bare.close();
  });

  it("refuses drivers and options it does not have", async () => {
    using tmp = freshTmpfs();
    await assert.rejects(openTestStore(tmp.path, { driver: "vfs" }), faulted("unimplemented", /"vfs"/));
    await assert.rejects(
      openTestStore(tmp.path, { driverOptions: ["overlay.nope=1"] }),
      faulted("invalid", /unknown option nope/),
    );
    assert.equal(lstatSync(tmp.path).isDirectory(), true);
  });
}

/** Runs testing/store-process.ts on the same store; resolves with what it prints. */
async function inAnotherProcess(...args: readonly string[]): Promise<string> {
  const script = fileURLToPath(new URL("./testing/store-process.ts", import.meta.url));
  const { stdout } = await runProgramOk(process.execPath, [script, ...args], { timeoutMs: 60_000 });
  return stdout.toString();
}

/** What is in the store's temporary directories. */
function leftovers(directory: string): readonly string[] {
  return ["root/overlay/tempdirs", "root/overlay-layers/tmp"].flatMap((path) => {
    const full = join(directory, path);
    return existsSync(full) ? readdirSync(full) : [];
  });
}
