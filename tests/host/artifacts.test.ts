/** OCI artifacts: pulled like images, kept in a layout that skopeo reads, bound into containers file by file (reference: ondisk.md 5, cri.md 3.2). */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { digestOf, fixtureNames } from "../support/fixtures/index.ts";
import { expectNoLeaks, takeInventory } from "../support/node/index.ts";
import { mustRun } from "../support/programs.ts";
import { registryControl } from "../support/registry/index.ts";
import { imageName, pushBlob, pushManifest } from "./bad-input/push.ts";
import { expectRefusal, leavesNothing } from "./bad-input/refusal.ts";
import {
  type ContainerConfig,
  execText,
  goodContainer,
  hostNetworkPod,
  openScene,
  type PodConfig,
  type Scene,
  withContainer,
  withPod,
} from "./bad-input/scene.ts";
import { withFaults } from "./bad-registry/pulling.ts";

const artifacts = "/var/lib/containers/storage/artifacts";
const title = "org.opencontainers.image.title";
const modelPath = "org.cncf.model.filepath";
const manifestType = "application/vnd.oci.image.manifest.v1+json";

interface File {
  readonly content: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Pushes an artifact; resolves with its name and the digest of its manifest. */
async function pushArtifact(
  repository: string,
  files: readonly File[],
  type = "application/vnd.test",
): Promise<{ name: string; digest: string; bytes: Buffer }> {
  const describe = async (mediaType: string, bytes: Buffer) => ({
    mediaType,
    digest: await pushBlob(repository, bytes),
    size: bytes.length,
  });
  const manifest = {
    schemaVersion: 2,
    mediaType: manifestType,
    artifactType: type,
    config: await describe("application/vnd.oci.empty.v1+json", Buffer.from("{}")),
    layers: await Promise.all(
      files.map(async ({ content, annotations = {} }) => ({
        ...(await describe("application/octet-stream", Buffer.from(content))),
        annotations,
      })),
    ),
    annotations: { "of.the": "manifest" },
  };
  const bytes = Buffer.from(JSON.stringify(manifest));
  return { name: await pushManifest(repository, { bytes, mediaType: manifestType }), digest: digestOf(bytes), bytes };
}

async function layoutFiles(): Promise<readonly string[]> {
  const { stdout } = await mustRun([
    "sh",
    "-c",
    `test -d ${artifacts} && find ${artifacts} -type f ! -name index.lock || true`,
  ]);
  return stdout
    .split("\n")
    .filter((path) => path !== "")
    .sort();
}

describe("an OCI artifact", () => {
  let scene: Scene;
  let additional: string;
  let atFirst: Awaited<ReturnType<typeof takeInventory>>;
  const weights = { content: "weights of a model\n", annotations: { [title]: "weights/model.bin" } };
  const readme = { content: "read me\n", annotations: { [modelPath]: "README" } };
  const pull = async (image: string) => (await scene.cri.image.pullImage({ image: { image } })).imageRef;
  const status = async (image: string) => (await scene.cri.image.imageStatus({ image: { image } })).image;
  const remove = (image: string) => scene.cri.image.removeImage({ image: { image } });

  before(async () => {
    atFirst = await takeInventory();
    additional = await mkdtemp("/var/tmp/artifacts-");
    const config = `[crio.runtime.runtimes.annotated]
runtime_path = "/usr/bin/crun"
runtime_root = "/run/crun"
monitor_cgroup = "pod"
allowed_annotations = ["seccomp-profile.crio.io"]
`;
    scene = await openScene({ config, flags: ["--additional-artifact-stores", additional] });
  });
  after(async () => {
    await scene[Symbol.asyncDispose]();
    await rm(additional, { recursive: true });
    await expectNoLeaks(atFirst, { ignore: ["images"] });
  });

  it("is pulled, shown and removed like an image, by its name and by its digest", async () => {
    const { name, digest, bytes } = await pushArtifact("artifact", [weights, readme]);
    for (const by of [name, digest.slice("sha256:".length), `${name.replace(":latest", "")}@${digest}`]) {
      const before = await layoutFiles();
      assert.equal(await pull(name), digest.slice("sha256:".length));
      const image = await status(by);
      assert.deepEqual([image?.id, image?.repoTags], [digest.slice("sha256:".length), [name]], by);
      assert.deepEqual(image?.repoDigests, [`${name.replace(":latest", "")}@${digest}`]);
      assert.deepEqual(image?.spec?.annotations, { "of.the": "manifest" });
      assert.equal(image?.size, BigInt(bytes.length + 2 + weights.content.length + readme.content.length));
      const { images } = await scene.cri.image.listImages({});
      assert.equal(images.filter(({ id }) => id === image?.id).length, 1);
      assert.equal((await scene.cri.image.listImages({ filter: { image: { image: by } } })).images.length, 1);
      await remove(by);
      assert.equal(await status(by), undefined);
      assert.deepEqual(
        (await layoutFiles()).filter((path) => path.includes("/blobs/")),
        before.filter((path) => path.includes("/blobs/")),
      );
    }
  });

  it("lies in a layout that skopeo reads, and shares blobs with others", async () => {
    const one = await pushArtifact("artifact-one", [weights]);
    const two = await pushArtifact("artifact-two", [weights, readme]);
    await pull(one.name);
    await pull(two.name);
    const raw = await mustRun(["skopeo", "inspect", "--raw", `oci:${artifacts}:${two.name}`]);
    assert.equal(digestOf(Buffer.from(raw.stdout)), two.digest);
    await remove(one.name);
    const blob = join(artifacts, "blobs/sha256", digestOf(Buffer.from(weights.content)).slice("sha256:".length));
    assert.equal(await readFile(blob, "utf8"), weights.content);
    await remove(two.name);
    await assert.rejects(stat(blob));
  });

  it("takes the place of what had its name before", async () => {
    const older = await pushArtifact("artifact-moved", [weights]);
    await pull(older.name);
    const newer = await pushArtifact("artifact-moved", [readme]);
    assert.equal(`sha256:${await pull(newer.name)}`, newer.digest);
    assert.equal((await status(newer.name))?.id, newer.digest.slice("sha256:".length));
    await remove(newer.name);
    assert.deepEqual(
      (await layoutFiles()).filter((path) => path.includes("/blobs/")),
      [],
    );
  });

  it("that cannot be fetched whole leaves nothing", async () => {
    const { name } = await pushArtifact("artifact-broken", [weights, readme]);
    const before = await layoutFiles();
    const faults = [{ path: "/artifact-broken/blobs/", skip: 2, fault: { is: "flip", atByte: 1 } as const }];
    await withFaults(faults, () =>
      expectRefusal(scene.cri.image.pullImage({ image: { image: name } }), {
        details: /^unable to pull image .*storing the OCI artifact .*digest/,
      }),
    );
    assert.deepEqual(await layoutFiles(), before);
    assert.deepEqual(
      (await readdir(artifacts)).filter((entry) => entry.startsWith(".")),
      [],
    );
    await pull(name);
    await remove(name);
  });

  it("shows its named files in a container, read-only, below the mount or a part of them", async () => {
    const unnamed = { content: "nobody sees this" };
    const hostile = { content: "not there\n", annotations: { [title]: "../../../../etc/hostile" } };
    const { name } = await pushArtifact("artifact-volume", [weights, readme, unnamed, hostile]);
    await pull(name);
    const sandboxConfig = hostNetworkPod("artifacts");
    const mounts = [
      { containerPath: "/model", image: { image: name } },
      { containerPath: "/part", image: { image: name }, imageSubPath: "weights" },
    ];
    await leavesNothing(() =>
      withPod(scene.cri, { config: sandboxConfig }, async (podSandboxId) => {
        const config = goodContainer("app", { mounts });
        await withContainer(scene.cri, { podSandboxId, config, sandboxConfig }, async (id) => {
          const { cri } = scene;
          assert.equal(
            await execText(cri, id, "cat", "/model/weights/model.bin", "/model/README", "/part/model.bin"),
            weights.content + readme.content + weights.content,
          );
          assert.equal(
            await execText(cri, id, "sh", "-c", "ls /etc/hostile 2>/dev/null || ls /model/etc"),
            "hostile\n",
          );
          assert.equal(
            await execText(cri, id, "sh", "-c", "(echo x > /model/README || rm /model/README || echo no) 2>/dev/null"),
            "no\n",
          );
        });
        const bad = goodContainer("bad", {
          mounts: [{ containerPath: "/part", image: { image: name }, imageSubPath: "nowhere" }],
        });
        const words = `ImageVolumeMountFailed: sub path "nowhere" does not exist in OCI artifact volume "${name}"`;
        await expectRefusal(scene.cri.runtime.createContainer({ podSandboxId, config: bad, sandboxConfig }), {
          details: words,
        });
      }),
    );
    await remove(name);
  });

  it("can be the seccomp profile of a container, where the handler allows it", async () => {
    const syscalls = [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 1 }];
    const profile = { defaultAction: "SCMP_ACT_ALLOW", syscalls };
    const { name } = await pushArtifact("artifact-seccomp", [{ content: JSON.stringify(profile) }]);
    const broken = await pushArtifact("artifact-seccomp-broken", [{ content: "{" }]);
    const huge = await pushArtifact("artifact-seccomp-huge", [{ content: " ".repeat((1 << 20) + 1) }]);
    const { cri } = scene;
    const tryMkdir = async (podSandboxId: string, config: ContainerConfig, sandboxConfig: PodConfig) =>
      await withContainer(cri, { podSandboxId, config, sandboxConfig }, (id) =>
        execText(cri, id, "sh", "-c", "mkdir /tmp/x 2>/dev/null && echo made || echo refused"),
      );
    const withProfile = (image: string): PodConfig => ({
      ...hostNetworkPod("seccomp"),
      annotations: { "seccomp-profile.crio.io/app": image },
    });
    const inPod = (runtimeHandler: string, image: string, use: (id: string, config: PodConfig) => Promise<void>) =>
      leavesNothing(() =>
        withPod(cri, { config: withProfile(image), runtimeHandler }, (id) => use(id, withProfile(image))),
      );
    await inPod("annotated", name, async (id, config) => {
      assert.equal(await tryMkdir(id, goodContainer("app"), config), "refused\n");
      assert.equal(await tryMkdir(id, goodContainer("other"), config), "made\n");
    });
    await inPod("crun", name, async (id, config) => {
      assert.equal(await tryMkdir(id, goodContainer("app"), config), "made\n");
    });
    for (const image of [broken.name, huge.name, fixtureNames.busybox, imageName("artifact-nowhere")]) {
      await inPod("annotated", image, async (podSandboxId, sandboxConfig) => {
        const request = { podSandboxId, config: goodContainer("app"), sandboxConfig };
        const details = /^setup seccomp: try to pull OCI artifact seccomp profile: /;
        await expectRefusal(cri.runtime.createContainer(request), { details });
      });
    }
    for (const image of [name, broken.name, huge.name]) await remove(image);
  });

  it("of an additional store is pinned, not pulled again, and never removed", async () => {
    const { name, digest } = await pushArtifact("artifact-additional", [weights]);
    await pull(name);
    await mustRun(["cp", "-a", artifacts, join(additional, "artifacts")]);
    await remove(name);
    const image = await status(name);
    assert.deepEqual([image?.id, image?.pinned], [digest.slice("sha256:".length), true]);
    await registryControl().takeRequests();
    await pull(name);
    const asked = (await registryControl().takeRequests()).filter(({ path }) => path.includes("/blobs/"));
    assert.deepEqual(asked, []);
    await remove(name);
    assert.equal((await status(name))?.pinned, true);
    await writeFile(join(additional, "artifacts/index.json"), "{");
    assert.equal(await status(name), undefined);
    await rm(join(additional, "artifacts"), { recursive: true });
    await mkdir(join(additional, "artifacts"));
  });

  it("whose index is damaged does not keep images from being listed", async () => {
    const { name } = await pushArtifact("artifact-damaged", [weights]);
    await pull(name);
    const index = await readFile(join(artifacts, "index.json"));
    for (const text of [
      "",
      "[]",
      `{"manifests":[{"digest":"sha256:../../etc/passwd","size":1,"mediaType":"x"}]}`,
      `{"manifests":[{"__proto__":{}}]}`,
    ]) {
      await writeFile(join(artifacts, "index.json"), text);
      assert.ok((await scene.cri.image.listImages({})).images.length > 0, text);
      await expectRefusal(scene.cri.image.pullImage({ image: { image: name } }), { details: /index\.json/ });
    }
    await writeFile(join(artifacts, "index.json"), index);
    await remove(name);
    assert.equal(await status(imageName("artifact-damaged")), undefined);
  });
});
