import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { silentLogger } from "../../base/index.ts";
import { digestOf, type ImageManifest, parseManifest, parseReference } from "../../oci/index.ts";
import { type NewArtifact, openArtifactStore } from "./artifact-store.ts";

function fixture() {
  const graphRoot = mkdtempSync(join(tmpdir(), "artifacts-"));
  return {
    directory: join(graphRoot, "artifacts"),
    open: (additional: readonly string[] = []) => openArtifactStore({ graphRoot, additional, log: silentLogger }),
    graphRoot,
    [Symbol.dispose]: () => rmSync(graphRoot, { recursive: true }),
  };
}

/** An artifact with these files; the blob that says so breaks off. */
function artifact(name: string, contents: readonly string[], { breaks = "" } = {}): NewArtifact {
  const blobs = new Map(["{}", ...contents].map((text) => [digestOf(Buffer.from(text)), Buffer.from(text)] as const));
  const [config, ...layers] = [...blobs].map(([digest, { length }]) => ({ mediaType: "x/y", digest, size: length }));
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const manifestBytes = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType, artifactType: "a/b", config, layers }),
  );
  return {
    reference: parseReference(name),
    manifest: parseManifest(manifestBytes, mediaType) as ImageManifest, // no index, as just made
    manifestBytes,
    digest: digestOf(manifestBytes),
    async *blob({ digest }) {
      const bytes = blobs.get(digest) ?? Buffer.alloc(0);
      yield bytes.subarray(0, 1);
      if (bytes.toString() === breaks) throw new Error("broken off");
      yield bytes.subarray(1);
    },
  };
}

const blobsIn = (directory: string) => {
  const path = join(directory, "blobs/sha256");
  return existsSync(path) ? readdirSync(path).sort() : [];
};

describe("the store of artifacts", () => {
  it("keeps what any artifact needs, and nothing else, however they come and go", async () => {
    using dir = fixture();
    const store = await dir.open();
    const all = [
      artifact("r.io/a:1", ["one", "two"]),
      artifact("r.io/b:1", ["two", "three"]),
      artifact("r.io/c:1", ["two"]),
    ];
    await Promise.all(all.map((each) => store.put(each)));
    assert.equal((await store.list()).length, 3);
    for (const { reference, digest } of all.slice(0, 2)) await store.remove(`r.io/${reference.path}:1`, digest);
    const [left, ...others] = await store.list();
    assert.deepEqual(others, []);
    const [layer] = left?.manifest.layers ?? [];
    assert.equal(layer === undefined ? "" : readFileSync(left?.pathOf(layer) ?? "", "utf8"), "two");
    assert.equal(blobsIn(dir.directory).length, 3);
    await store.remove("r.io/c:1", all[2]?.digest ?? digestOf(Buffer.alloc(0)));
    assert.deepEqual(blobsIn(dir.directory), []);
  });

  it("has nothing of an artifact that broke off, nor of one whose daemon was killed", async () => {
    using dir = fixture();
    const store = await dir.open();
    await assert.rejects(
      store.put(artifact("r.io/a:1", ["one", "two"], { breaks: "two" })),
      /storing the OCI artifact r\.io\/a:1: broken off/,
    );
    assert.deepEqual([await store.list(), blobsIn(dir.directory)], [[], []]);
    mkdirSync(join(dir.directory, ".staging-old"));
    writeFileSync(join(dir.directory, ".staging-old/blob"), "x");
    await dir.open();
    assert.deepEqual(
      readdirSync(dir.directory).filter((name) => name.startsWith(".")),
      [],
    );
  });

  it("shows one artifact for one name, that of an additional store first", async () => {
    using theirs = fixture();
    using ours = fixture();
    await (await theirs.open()).put(artifact("r.io/a:1", ["theirs"]));
    const store = await ours.open([theirs.graphRoot, "/nowhere"]);
    await store.put(artifact("r.io/a:1", ["ours"]));
    await store.put(artifact("r.io/b:1", ["ours"]));
    const shown = (await store.list()).map(({ refName, isReadOnly }) => [refName, isReadOnly]);
    assert.deepEqual(shown, [
      ["r.io/a:1", true],
      ["r.io/b:1", false],
    ]);
  });
});
