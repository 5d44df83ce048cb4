/**
 * One store, several programs: what skopeo and podman write we read, and what we write they read, at the same time too.
 * Runs itself again in namespaces of its own, on directories of its own.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { gunzipSync, gzipSync, zstdCompressSync } from "node:zlib";
import { newId, silentLogger } from "../../src/base/index.ts";
import { mountTmpfs, unmount } from "../../src/host/index.ts";
import { type Digest, digestHex, digestOf } from "../../src/oci/index.ts";
import { openStore, type Store } from "../../src/storage/index.ts";
import { type TestEntry, tarOf } from "../../src/storage/unpack/tar-writer.test-support.ts";
import { mustRun, run } from "../support/programs.ts";
import { isInside, reasonNotInside, runInside } from "./own-namespaces.ts";

if (isInside()) describeInside();
else {
  describe("a store shared with skopeo and podman", {
    skip: reasonNotInside("skopeo", "podman", "unshare") ?? false,
  }, () => {
    it("works in namespaces of its own", () => runInside(import.meta.url));
  });
}

const bottom: readonly TestEntry[] = [
  { name: "./", type: "5", mode: 0o755 },
  { name: "bin/", type: "5", mode: 0o755 },
  { name: "bin/tool", content: "x".repeat(70_000), mode: 0o4755, uid: 3, gid: 4 },
  { name: "bin/same", type: "1", link: "bin/tool", mode: 0o4755, uid: 3, gid: 4 },
  { name: "etc/", type: "5", mode: 0o755 },
  { name: "etc/passwd", content: "root:x:0:0::/:/bin/sh\n", pax: { mtime: "1700000000.123456789" } },
  { name: "etc/long", content: "l", pax: { path: `etc/${"long".repeat(30)}-name<&>é` } },
  { name: "old/", type: "5", mode: 0o755 },
  { name: "old/file", content: "gone later" },
  { name: "run", type: "2", link: "/var/run", mode: 0o777 },
  { name: "capable", content: "c", pax: { "SCHILY.xattr.user.note": "kept" } },
];
const upper: readonly TestEntry[] = [
  { name: "etc/", type: "5", mode: 0o755 },
  { name: "etc/.wh.passwd" },
  { name: "old/", type: "5", mode: 0o755 },
  { name: "old/.wh..wh..opq" },
  { name: "new", content: "new" },
];
/** What a container of both layers sees at its root. */
const visible = ["bin", "capable", "etc", "new", "old", "run"];

const noVolatile = "podman before 4.4 does not know volatile containers, as all of CRI-O's are";

function describeInside(): void {
  describe("a store shared with skopeo and podman", () => {
    it("holds images that skopeo put there", async () => {
      await using bench = await Bench.make();
      const image = await bench.layout("theirs", gzipSync);
      await bench.skopeo("copy", "-q", `oci:${image.directory}`, bench.reference("example.com/theirs:1"));
      const store = await bench.open();
      const [stored] = await store.images();
      assert.deepEqual([stored?.id, stored?.names], [image.id, ["example.com/theirs:1"]]);
      assert.deepEqual(await store.imageConfig(image.id), image.config);
      const layers = await store.layersOf(image.id);
      const first = store.layerIdOf(undefined, image.diffIds[0]);
      assert.deepEqual(
        layers.map(({ id, diffId }) => [id, diffId]),
        [
          [store.layerIdOf(first, image.diffIds[1]), image.diffIds[1]],
          [first, image.diffIds[0]],
        ],
      );
      const { Size: size } = await bench.inspect(image.id);
      assert.equal(await store.imageSize(image.id), BigInt(size));
      const id = newId();
      await store.createContainer({ id, names: ["ours"], imageId: image.id, metadata: "" });
      const root = await store.mountContainer(id);
      assert.deepEqual((await readdir(root)).sort(), visible);
      assert.deepEqual(await readdir(join(root, "old")), []);
      await store.deleteContainer(id);
      assert.equal((await store.removeImage(image.id)).length, 2);
      assert.deepEqual(await bench.images(), []);
    });

    for (const [name, compress] of [
      ["gzip", gzipSync],
      ["zstd", zstdCompressSync],
      ["no compression", (tar: Buffer) => tar],
    ] as const) {
      it(`gives skopeo the very archives it was given, with ${name}`, async () => {
        await using bench = await Bench.make();
        const image = await bench.layout("ours", compress);
        const store = await bench.open();
        await put(store, image, "example.com/ours:1");
        const out = join(bench.directory, "out");
        await bench.skopeo("copy", "-q", bench.reference("example.com/ours:1"), `dir:${out}`);
        for (const diffId of image.diffIds) {
          const bytes = await readFile(join(out, digestHex(diffId)));
          assert.equal(digestOf(bytes), diffId);
        }
      });
    }

    it("has the same records, directories and tar-split whoever put the image there", async () => {
      await using ours = await Bench.make();
      await using theirs = await Bench.make();
      const image = await ours.layout("same", gzipSync);
      await put(await ours.open(), image, "example.com/same:1");
      await theirs.skopeo("copy", "-q", `oci:${image.directory}`, theirs.reference("example.com/same:1"));
      for (const { id } of await (await ours.open()).layersOf(image.id)) {
        assert.equal(await ours.tarSplit(id), await theirs.tarSplit(id));
        assert.deepEqual(await ours.treeOf(id), await theirs.treeOf(id));
        assert.deepEqual(await ours.record("layers", id), await theirs.record("layers", id));
      }
      const [mine, other] = [await ours.record("images", image.id), await theirs.record("images", image.id)];
      for (const key of ["id", "digest", "names", "names-history", "layer"]) assert.deepEqual(mine[key], other[key]);
    });

    it("shows podman our images and containers, and keeps it from breaking them", async (context) => {
      await using bench = await Bench.make();
      if (!(await bench.podmanIsAtLeast(4, 4))) {
        context.skip(noVolatile);
        return;
      }
      const image = await bench.layout("ours", gzipSync);
      const store = await bench.open();
      await put(store, image, "example.com/ours:1");
      assert.deepEqual(await bench.images(), [image.id]);
      const { RepoTags: tags, Size: size } = await bench.inspect("example.com/ours:1");
      assert.deepEqual(tags, ["example.com/ours:1"]);
      assert.equal(await store.imageSize(image.id), BigInt(size));
      const id = newId();
      await store.createContainer({ id, names: ["k8s_ours"], imageId: image.id, metadata: "{}" });
      const root = await store.mountContainer(id);
      const { stdout } = await bench.podman("ps", "-a", "--external", "--no-trunc", "--format", "{{.ID}}");
      assert.equal(stdout.trim(), id);
      assert.notEqual((await bench.tryPodman("rmi", image.id)).code, 0);
      assert.deepEqual((await readdir(root)).sort(), visible);
      await bench.podman("rm", "--force", id).catch(() => bench.podman("rm", "--storage", id));
      assert.equal(await store.container(id), undefined);
      await store.deleteContainer(id);
      await bench.podman("rmi", image.id);
      assert.deepEqual(await store.images(), []);
      assert.deepEqual(
        (await readdir(join(bench.directory, "root/overlay"))).filter((name) => name.length === 64),
        [],
      );
    });

    it("knows podman's containers, and leaves their image alone", async () => {
      await using bench = await Bench.make();
      const image = await bench.layout("ours", gzipSync);
      const store = await bench.open();
      await put(store, image, "example.com/ours:1");
      const created = await bench.tryPodman("create", "--name", "theirs", "example.com/ours:1", "/bin/tool");
      if (created.code !== 0) return; // a host on which podman itself cannot make containers
      const id = created.stdout.trim();
      const container = await store.container(id);
      assert.deepEqual([container?.names, container?.imageId], [["theirs"], image.id]);
      await assert.rejects(store.removeImage(image.id), new RegExp(`image used by ${id}`));
      await assert.rejects(store.createContainer({ id: newId(), names: ["theirs"], metadata: "" }), /in use by/);
      const root = await store.mountContainer(id);
      assert.deepEqual((await readdir(root)).filter((name) => visible.includes(name)).sort(), visible);
      await store.unmountContainer(id);
      await bench.podman("rm", id);
      assert.equal((await store.removeImage(image.id)).length, 2);
    });

    it("counts mounts together with podman", async (context) => {
      await using bench = await Bench.make();
      if (!(await bench.podmanIsAtLeast(4, 4))) {
        context.skip(noVolatile);
        return;
      }
      const image = await bench.layout("ours", gzipSync);
      const store = await bench.open();
      await put(store, image, "example.com/ours:1");
      const mounted = (await bench.podman("image", "mount", image.id)).stdout.trim();
      assert.deepEqual((await readdir(mounted)).sort(), visible);
      const id = newId();
      await store.createContainer({ id, names: [], imageId: image.id, metadata: "" });
      await store.mountContainer(id);
      const counts = async () =>
        JSON.parse(await readFile(join(bench.directory, "run/overlay-layers/mountpoints.json"), "utf8")).length;
      assert.equal(await counts(), 2);
      await bench.podman("image", "unmount", image.id);
      assert.equal(await counts(), 1);
      await store.deleteContainer(id);
      assert.equal(await counts(), 0);
      assert.equal((await store.removeImage(image.id)).length, 2);
    });

    it("is written by all at the same time", async () => {
      await using bench = await Bench.make();
      const store = await bench.open();
      const images = await Promise.all([0, 1, 2, 3].map((n) => bench.layout(`image-${n}`, gzipSync)));
      await Promise.all(
        images.map(async (image, n) => {
          const name = `example.com/image-${n}:1`;
          if (n % 2 === 0) await put(store, image, name);
          else await bench.skopeo("copy", "-q", `oci:${image.directory}`, bench.reference(name));
          const id = newId();
          await store.createContainer({ id, names: [`c-${n}`], imageId: image.id, metadata: "" });
          assert.deepEqual((await readdir(await store.mountContainer(id))).sort(), [...visible, `image-${n}`].sort());
          await store.deleteContainer(id);
        }),
      );
      const ids = images.map(({ id }) => id).sort();
      assert.deepEqual((await store.images()).map(({ id }) => id).sort(), ids);
      assert.deepEqual((await bench.images()).toSorted(), ids);
      for (const id of ids) await store.removeImage(id);
      assert.deepEqual(await bench.images(), []);
      assert.deepEqual(await readdir(join(bench.directory, "root/overlay/l")), []);
    });

    it("passes podman's own check", async (context) => {
      await using bench = await Bench.make();
      const store = await bench.open();
      await put(store, await bench.layout("ours", gzipSync), "example.com/ours:1");
      // podman before 5.6 does not know the temporary directories of later ones, and takes them for a layer.
      await rm(join(bench.directory, "root/overlay/tempdirs"), { recursive: true });
      const check = await bench.tryPodman("system", "check");
      if (/unrecognized command|unknown flag/i.test(check.stderr)) {
        context.skip("this podman has no `system check`");
        return;
      }
      assert.equal(check.code, 0, check.stdout + check.stderr);
    });
  });
}

/** An image as an OCI layout. */
interface Layout {
  readonly directory: string;
  readonly id: string;
  readonly config: Buffer;
  readonly manifest: Buffer;
  readonly diffIds: readonly [Digest, Digest];
  readonly blobs: readonly Buffer[];
}

/** Puts an image into a store as a pull does. */
async function put(store: Store, image: Layout, name: string): Promise<void> {
  let parent: string | undefined;
  for (const [n, blob] of image.blobs.entries()) {
    const staged = await store.stageLayer(inChunks(blob), { signal: AbortSignal.timeout(30_000) });
    assert.equal(staged.diffId, image.diffIds[n]);
    const id: string = store.layerIdOf(parent, staged.diffId);
    await store.commitLayer(staged, { id, ...(parent === undefined ? {} : { parent }) });
    parent = id;
  }
  const digest = digestOf(image.manifest);
  await store.createImage({
    id: image.id,
    names: [name],
    digest,
    ...(parent === undefined ? {} : { layer: parent }),
    data: [
      { key: `sha256:${image.id}`, bytes: image.config },
      { key: `manifest-${digest}`, bytes: image.manifest },
      { key: "manifest", bytes: image.manifest },
    ],
  });
}

async function* inChunks(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 10_000) yield bytes.subarray(at, at + 10_000);
}

/** A store's directories on a tmpfs, and the programs told to use them. */
class Bench implements AsyncDisposable {
  readonly directory: string;
  #store: Store | undefined;

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async make(): Promise<Bench> {
    const bench = new Bench(await mkdtemp(join(tmpdir(), "crio-ts-interop-")));
    // Overlays need a file system that is none itself, which the throw-away node's is.
    mountTmpfs({ target: bench.directory, mode: "0700", flags: [] });
    const lines = [
      "[storage]",
      'driver = "overlay"',
      `graphroot = "${bench.directory}/root"`,
      `runroot = "${bench.directory}/run"`,
    ];
    await writeFile(bench.#conf, `${lines.join("\n")}\n`);
    await writeFile(join(bench.directory, "policy.json"), '{"default":[{"type":"insecureAcceptAnything"}]}');
    return bench;
  }

  get #conf(): string {
    return join(this.directory, "storage.conf");
  }

  async open(): Promise<Store> {
    this.#store ??= await openStore({
      graphRoot: join(this.directory, "root"),
      runRoot: join(this.directory, "run"),
      driverOptions: [],
      log: silentLogger,
    });
    return this.#store;
  }

  reference(name: string): string {
    return `containers-storage:[overlay@${this.directory}/root+${this.directory}/run]${name}`;
  }

  async skopeo(...args: readonly string[]) {
    const policy = ["--policy", join(this.directory, "policy.json")];
    return mustRun(["skopeo", ...policy, ...args], { env: this.#env, timeoutMs: 60_000 });
  }

  async podman(...args: readonly string[]) {
    return mustRun(this.#podman(args), { env: this.#env, timeoutMs: 60_000 });
  }

  async tryPodman(...args: readonly string[]) {
    return run(this.#podman(args), { env: this.#env, timeoutMs: 60_000 });
  }

  async podmanIsAtLeast(major: number, minor: number): Promise<boolean> {
    const [, a, b] = /(\d+)\.(\d+)/.exec((await this.podman("--version")).stdout) ?? [];
    return Number(a) > major || (Number(a) === major && Number(b) >= minor);
  }

  async images(): Promise<readonly string[]> {
    const { stdout } = await this.podman("images", "-a", "--no-trunc", "-q");
    return stdout.split("\n").flatMap((line) => (line === "" ? [] : [line.replace(/^sha256:/, "")]));
  }

  async inspect(image: string): Promise<{ readonly Size: number; readonly RepoTags: readonly string[] }> {
    return JSON.parse((await this.podman("image", "inspect", image)).stdout)[0];
  }

  /** An OCI layout of the two layers; its name is a file in the upper one. */
  async layout(name: string, compress: (tar: Buffer) => Buffer): Promise<Layout> {
    const directory = join(this.directory, `layout-${name}`);
    await mkdir(join(directory, "blobs/sha256"), { recursive: true });
    const blob = async (bytes: Buffer, mediaType: string) => {
      const digest = digestOf(bytes);
      await writeFile(join(directory, "blobs/sha256", digestHex(digest)), bytes);
      return { mediaType, digest, size: bytes.length };
    };
    const tars = [tarOf(...bottom), tarOf(...upper, ...(name.startsWith("image-") ? [{ name, content: name }] : []))];
    const [first, second] = tars.map((tar) => digestOf(tar));
    assert.ok(first && second);
    const blobs = tars.map(compress);
    const suffix = compress === gzipSync ? "+gzip" : compress === zstdCompressSync ? "+zstd" : "";
    const layers = await Promise.all(
      blobs.map((bytes) => blob(bytes, `application/vnd.oci.image.layer.v1.tar${suffix}`)),
    );
    const rootfs = { type: "layers", diff_ids: [first, second] };
    const arch = process.arch === "x64" ? "amd64" : process.arch;
    const config = Buffer.from(
      JSON.stringify({ architecture: arch, os: "linux", config: { Cmd: ["/bin/tool"] }, rootfs }),
    );
    const mediaType = "application/vnd.oci.image.manifest.v1+json";
    const configBlob = await blob(config, "application/vnd.oci.image.config.v1+json");
    const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config: configBlob, layers }));
    const manifests = [{ ...(await blob(manifest, mediaType)), platform: { architecture: arch, os: "linux" } }];
    await writeFile(join(directory, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
    await writeFile(join(directory, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
    return { directory, id: digestHex(configBlob.digest), config, manifest, diffIds: [first, second], blobs };
  }

  /** tar-split as text, without the empty segment that older writers end it with. */
  async tarSplit(layer: string): Promise<string> {
    const file = join(this.directory, "root/overlay-layers", `${layer}.tar-split.gz`);
    return gunzipSync(await readFile(file))
      .toString()
      .replace(/\{"type":2,"payload":"","position":\d+\}\n$/, "");
  }

  async record(kind: "layers" | "images", id: string): Promise<Record<string, unknown>> {
    const file = join(this.directory, `root/overlay-${kind}`, `${kind}.json`);
    const records: Record<string, unknown>[] = JSON.parse(await readFile(file, "utf8"));
    const { created, ...rest } = records.find((record) => record.id === id) ?? {};
    assert.ok(created);
    return rest;
  }

  /** Every file of a layer with type, mode, owner, time, size, links, extended attributes and content. */
  async treeOf(layer: string): Promise<string> {
    const diff = join(this.directory, "root/overlay", layer, "diff");
    // The time of whiteouts, and of the root where the archive has none, is that of unpacking.
    const format = [
      "(",
      "-type",
      "c",
      "-o",
      "-path",
      ".",
      ")",
      "-printf",
      "%P %y %m %U:%G\\n",
      "-o",
      "-printf",
      "%P %y %m %U:%G %T@ %n %l\\n",
    ];
    const find = await mustRun(["find", ".", ...format], { cwd: diff });
    const hash = await mustRun(["find", ".", "-type", "f", "-exec", "sha256sum", "{}", "+"], { cwd: diff });
    const xattrs = existsSync("/usr/bin/getfattr")
      ? await mustRun(["getfattr", "-dhR", "-m", "-", "."], { cwd: diff })
      : undefined;
    // The root's own time is that of unpacking, unless the archive gives one.
    const lines = [...find.stdout.split("\n"), ...hash.stdout.split("\n")]
      .filter((line) => !line.startsWith(" d "))
      .sort();
    return [
      ...lines,
      createHash("sha256")
        .update(xattrs?.stdout ?? "")
        .digest("hex"),
    ].join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store?.close();
    await this.tryPodman("image", "unmount", "--all");
    await run(["umount", "-l", join(this.directory, "root/overlay")]);
    unmount(this.directory, { detach: true });
    await rm(this.directory, { recursive: true, force: true });
  }

  get #env(): Readonly<Record<string, string>> {
    return { CONTAINERS_STORAGE_CONF: this.#conf, TMPDIR: this.directory, HOME: this.directory };
  }

  #podman(args: readonly string[]): readonly string[] {
    const { directory } = this;
    const own = ["--root", `${directory}/root`, "--runroot", `${directory}/run`, "--tmpdir", `${directory}/libpod`];
    return ["podman", ...own, "--cgroup-manager", "cgroupfs", "--events-backend", "none", ...args];
  }
}
