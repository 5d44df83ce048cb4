/** Images as volumes of containers (a mount with `image`): shown read-only, mounted once, given back with the last container. */
import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { openCri } from "../support/daemon/cri.ts";
import { eventually } from "../support/daemon/crictl.ts";
import { type RuntimeName, startDaemon } from "../support/daemon/index.ts";
import type { TarEntry } from "../support/fixtures/index.ts";
import { expectNoLeaks, takeInventory } from "../support/node/index.ts";
import { mustRun } from "../support/programs.ts";
import { pushImage } from "./bad-input/push.ts";
import { expectRefusal, leavesNothing } from "./bad-input/refusal.ts";
import {
  type ContainerConfig,
  type CreateRequest,
  execText,
  goodContainer,
  goodPod,
  hostNetworkPod,
  mode,
  openScene,
  type Scene,
  withContainer,
  withPod,
} from "./bad-input/scene.ts";
import { gatedRuntime } from "./restart/gate.ts";
import { podman, tryPodman } from "./store-sharing/others.ts";

type Mount = NonNullable<ContainerConfig["mounts"]>[number];

const odd = "it's: a, \\odd\\ place";
const lower: readonly TarEntry[] = [
  { is: "directory", path: "data" },
  { is: "file", path: "data/below", content: "from the lower layer\n" },
  { is: "file", path: "data/removed", content: "" },
];
const upper: readonly TarEntry[] = [
  { is: "file", path: "data/.wh.removed", content: "" },
  { is: "file", path: "data/above", content: "from the upper layer\n" },
  { is: "directory", path: `data/${odd}` },
  { is: "file", path: `data/${odd}/file`, content: "in an odd place\n" },
  { is: "symlink", path: "inside", target: "/data" },
  { is: "symlink", path: "outside", target: "../../../../../../../../../../var" },
  { is: "symlink", path: "passwd", target: "/etc/passwd" },
  { is: "symlink", path: "loop", target: "loop" },
  { is: "file", path: "tool", mode: 0o755, content: "#!/bin/sh\necho ran\n" },
];
const ids = [{ containerId: 0, hostId: 300_000, length: 65_536 }];
const mountCounts = "/run/containers/storage/overlay-layers/mountpoints.json";

for (const runtime of ["crun", "runc"] as const satisfies readonly RuntimeName[]) {
  describe(`an image as a volume, with ${runtime}`, () => {
    let scene: Scene;
    let volume: string;
    let volumeId: string;
    let atFirst: Awaited<ReturnType<typeof takeInventory>>;
    before(async () => {
      atFirst = await takeInventory();
      scene = await openScene({ runtime });
      volume = await pushImage("volume", { layers: [lower, upper] });
      volumeId = (await scene.cri.image.pullImage({ image: { image: volume } })).imageRef;
    });
    after(async () => {
      await removeSharedPod();
      await scene[Symbol.asyncDispose]();
      await expectNoLeaks(atFirst, { ignore: ["images"] });
    });

    const mountOf = (more: Mount = {}): Mount => ({ containerPath: "/volume", image: { image: volume }, ...more });
    const withMounts = (mounts: readonly Mount[], name = "app"): ContainerConfig => goodContainer(name, { mounts });

    /** Uses a container with these mounts, after which everything is as before. */
    const inContainer = async (mounts: readonly Mount[], use: (id: string) => Promise<void>): Promise<void> => {
      const sandboxConfig = hostNetworkPod("volumes");
      await leavesNothing(() =>
        withPod(scene.cri, { config: sandboxConfig }, async (podSandboxId) => {
          await withContainer(scene.cri, { podSandboxId, config: withMounts(mounts), sandboxConfig }, use);
        }),
      );
    };

    /** Creates nothing in a pod that all refusals share. */
    const refused = async (mounts: readonly Mount[], details: string | RegExp): Promise<void> => {
      const { cri } = scene;
      const sandboxConfig = hostNetworkPod("refusals");
      const { podSandboxId } = await cri.runtime.runPodSandbox({ config: sandboxConfig });
      const request: CreateRequest = { podSandboxId, config: withMounts(mounts), sandboxConfig };
      await leavesNothing(() => expectRefusal(cri.runtime.createContainer(request), { details }));
    };
    const removeSharedPod = async (): Promise<void> => {
      const { items } = await scene.cri.runtime.listPodSandbox({});
      for (const { id, metadata } of items) {
        if (metadata?.name === "refusals") await scene.cri.runtime.removePodSandbox({ podSandboxId: id });
      }
    };

    it("shows all layers of the image, read-only, and its programs run", async () => {
      await inContainer([mountOf()], async (id) => {
        const { cri } = scene;
        assert.equal(await execText(cri, id, "ls", "/volume/data"), `above\nbelow\n${odd}\n`);
        assert.equal(await execText(cri, id, "cat", "/volume/data/below"), "from the lower layer\n");
        assert.equal(await execText(cri, id, "/volume/tool"), "ran\n");
        const attempts = "touch /volume/new || rm /volume/tool || chmod 777 /volume/data || echo no";
        assert.equal(await execText(cri, id, "sh", "-c", `(${attempts}) 2>/dev/null`), "no\n");
      });
    });

    it("is shown to pods with users of their own as theirs, whether or not the kubelet maps its owners", async () => {
      const namespaceOptions = { pid: mode.container, usernsOptions: { mode: mode.pod, uids: ids, gids: ids } };
      const linux = { securityContext: { namespaceOptions } };
      const sandboxConfig = goodPod("volumes", { linux });
      const mounts = [
        mountOf(),
        mountOf({ containerPath: "/odd", imageSubPath: `data/${odd}`, uidMappings: ids, gidMappings: ids }),
      ];
      const { cri } = scene;
      await leavesNothing(() =>
        withPod(cri, { config: sandboxConfig }, async (podSandboxId) => {
          const request = { podSandboxId, config: goodContainer("app", { linux, mounts }), sandboxConfig };
          await withContainer(cri, request, async (id) => {
            assert.equal(await execText(cri, id, "cat", "/volume/data/above"), "from the upper layer\n");
            assert.equal(await execText(cri, id, "/volume/tool"), "ran\n");
            assert.equal(await execText(cri, id, "stat", "-c", "%u:%g", "/volume/tool", "/odd/file"), "0:0\n0:0\n");
            const attempts = "touch /volume/new || rm /volume/tool || mount -o remount,rw /volume || echo no";
            assert.equal(await execText(cri, id, "sh", "-c", `(${attempts}) 2>/dev/null`), "no\n");
            const removal = cri.image.removeImage({ image: { image: volumeId } });
            await expectRefusal(removal, { details: `the image is in use by ${id}` });
          });
        }),
      );
    });

    it("is in the container's status, with the image's id", async () => {
      await inContainer([mountOf({ image: { image: volumeId }, imageSubPath: "data" })], async (containerId) => {
        const answer = await scene.cri.runtime.containerStatus({ containerId });
        const [mount] = answer.status?.mounts ?? [];
        assert.deepEqual(
          [mount?.containerPath, mount?.readonly, mount?.image?.image, mount?.recursiveReadOnly],
          ["/volume", true, volumeId, false],
        );
      });
    });

    it("shows a directory of the image, whatever characters its name has and whatever links lead to it", async () => {
      const mounts = [
        mountOf({ containerPath: "/plain", imageSubPath: "data" }),
        mountOf({ containerPath: "/odd", imageSubPath: `data/${odd}` }),
        mountOf({ containerPath: "/linked", imageSubPath: "inside/../inside/" }),
        mountOf({ containerPath: "/up", imageSubPath: "../../../data" }),
      ];
      await inContainer(mounts, async (id) => {
        const { cri } = scene;
        assert.equal(await execText(cri, id, "cat", "/odd/file"), "in an odd place\n");
        for (const path of ["/plain", "/linked", "/up"]) {
          assert.equal(await execText(cri, id, "cat", `${path}/above`), "from the upper layer\n", path);
        }
      });
    });

    const badPaths: readonly (readonly [what: string, subPath: string, says: string])[] = [
      ["is missing", "nowhere/data", "does not exist"],
      ["is a file", "data/below", "is not a directory"],
      ["goes on below a file", "data/below/x", "is not a directory"],
      ["leads out of the image", "outside/lib", "does not exist"],
      ["leads to a file of the host", "passwd", "does not exist"],
      ["leads to itself", "loop", "is a loop of symbolic links"],
    ];
    for (const [what, imageSubPath, says] of badPaths) {
      it(`refuses a sub path that ${what}`, async () => {
        const words = `ImageVolumeMountFailed: sub path "${imageSubPath}" ${says} in image volume "${volume}"`;
        await refused([mountOf({ imageSubPath })], words);
      });
    }

    it("refuses an image that is not on the node", async () => {
      await refused(
        [mountOf(), mountOf({ containerPath: "/other", image: { image: "quay.io/bad-input/nowhere:1" } })],
        'ImageVolumeMountFailed: image "quay.io/bad-input/nowhere:1" does not exist locally',
      );
    });

    it("refuses what cannot be the name of an image", async () => {
      await refused([mountOf({ image: { image: "UPPER:case:\n" } })], /^ImageVolumeMountFailed: /);
    });

    it("refuses all images while the directory that they are stacked on is not empty", async () => {
      const file = "/run/crio/image-volumes/file";
      await writeFile(file, "");
      try {
        await refused([mountOf()], /^ImageVolumeMountFailed: image volumes path \S+\/image-volumes is not empty$/);
      } finally {
        await rm(file);
      }
    });

    it("is mounted once for all containers, and until the last of them is removed", async () => {
      const { cri } = scene;
      const sandboxConfig = hostNetworkPod("volumes");
      await leavesNothing(() =>
        withPod(cri, { config: sandboxConfig }, async (podSandboxId) => {
          const ids = await Promise.all(
            ["one", "two", "three"].map(async (name) => {
              const config = withMounts([mountOf(), mountOf({ containerPath: "/again" })], name);
              const { containerId } = await cri.runtime.createContainer({ podSandboxId, config, sandboxConfig });
              await cri.runtime.startContainer({ containerId });
              return containerId;
            }),
          );
          const [path = "", ...others] = await imageMounts();
          assert.deepEqual(others, []);
          assert.equal(await countOf(path), 3);
          for (const [n, containerId] of ids.entries()) {
            assert.equal(await execText(cri, containerId, "cat", "/again/data/above"), "from the upper layer\n");
            await cri.runtime.stopContainer({ containerId, timeout: 0n });
            await cri.runtime.removeContainer({ containerId });
            assert.deepEqual(await imageMounts(), n < 2 ? [path] : []);
          }
          assert.deepEqual(await countOf(path), undefined);
        }),
      );
    });

    it("cannot be removed while a container has it", async () => {
      const other = await pushImage("volume-in-use", { layers: [lower], config: { Labels: { which: runtime } } });
      const { imageRef } = await scene.cri.image.pullImage({ image: { image: other } });
      await inContainer([mountOf({ image: { image: imageRef } })], async (id) => {
        const words = `the image is in use by ${id}`;
        for (const image of [imageRef, other]) {
          const removal = scene.cri.image.removeImage({ image: { image } });
          await expectRefusal(removal, { details: words });
        }
        assert.equal(await execText(scene.cri, id, "cat", "/volume/data/below"), "from the lower layer\n");
      });
      await scene.cri.image.removeImage({ image: { image: imageRef } });
      assert.equal((await scene.cri.image.imageStatus({ image: { image: imageRef } })).image, undefined);
    });

    it("does not change what images are said to take", async () => {
      const used = async () =>
        (await scene.cri.image.imageFsInfo({})).imageFilesystems.map(({ usedBytes }) => usedBytes?.value);
      const before = await used();
      await inContainer([mountOf()], async () => assert.deepEqual(await used(), before));
    });

    it("can be mounted and unmounted by podman at the same time", async () => {
      await inContainer([mountOf()], async (id) => {
        const [path = ""] = await imageMounts();
        assert.equal(await podman("image", "mount", volumeId), path);
        assert.equal(await countOf(path), 2);
        await podman("image", "unmount", volumeId);
        assert.equal(await countOf(path), 1);
        assert.equal(await execText(scene.cri, id, "cat", "/volume/data/below"), "from the lower layer\n");
      });
    });

    it("stays as it is under another daemon, which gives it back", async () => {
      const config = hostNetworkPod("volumes");
      const { podSandboxId } = await scene.cri.runtime.runPodSandbox({ config });
      const create = { podSandboxId, config: withMounts([mountOf()]), sandboxConfig: config };
      const { containerId } = await scene.cri.runtime.createContainer(create);
      await scene.cri.runtime.startContainer({ containerId });
      scene = await restarted(scene, runtime);
      const { cri } = scene;
      const removal = cri.image.removeImage({ image: { image: volumeId } });
      await expectRefusal(removal, { details: /^the image is in use by [0-9a-f]{64}$/ });
      assert.equal(await execText(cri, containerId, "cat", "/volume/data/above"), "from the upper layer\n");
      await cri.runtime.stopContainer({ containerId, timeout: 0n });
      await cri.runtime.removePodSandbox({ podSandboxId });
      assert.deepEqual(await imageMounts(), []);
    });

    it("is given back by the next daemon when a creation was cut off", async () => {
      const program = (await mustRun(["sh", "-c", `command -v ${runtime}`])).stdout.trim();
      await using gate = await gatedRuntime("gated", program);
      const handler = `[crio.runtime.runtimes.gated]
runtime_path = "${gate.path}"
runtime_root = "/run/${runtime}"
monitor_cgroup = "pod"
`;
      scene = await restarted(scene, runtime, handler);
      const config = hostNetworkPod("volumes");
      const { podSandboxId } = await scene.cri.runtime.runPodSandbox({ config, runtimeHandler: "gated" });
      await gate.close();
      const create = { podSandboxId, config: withMounts([mountOf()]), sandboxConfig: config };
      const cut = assert.rejects(scene.cri.runtime.createContainer(create));
      await gate.untilArrived(1);
      assert.equal((await imageMounts()).length, 1);
      await scene.daemon.stop("SIGKILL");
      await cut;
      await gate.open();
      scene = await restarted(scene, runtime, handler);
      await eventually("unmounted", async () => (await imageMounts()).length === 0);
      assert.deepEqual(JSON.parse(await readFile(mountCounts, "utf8")), []);
      await scene.cri.runtime.removePodSandbox({ podSandboxId });
    });

    it("can be removed by podman, whatever the daemon thinks of it", async () => {
      const other = await pushImage("volume-podman", {
        layers: [[{ is: "file", path: "of-its-own", content: runtime }]],
        config: { Labels: { for: runtime } },
      });
      const { imageRef } = await scene.cri.image.pullImage({ image: { image: other } });
      await inContainer([mountOf({ image: { image: imageRef } })], async () => {
        const removal = await tryPodman("rmi", imageRef);
        assert.equal(removal.code, 0, removal.stderr);
        assert.deepEqual(await imageMounts(), []);
      });
    });
  });
}

/** Where layers of images are mounted on the host. */
async function imageMounts(): Promise<readonly string[]> {
  const lines = (await readFile("/proc/self/mountinfo", "utf8")).split("\n");
  const layers = await imageLayers();
  return lines.flatMap((line) => {
    const [, , , , path = ""] = line.split(" ");
    const [, layer = ""] = /\/overlay\/([0-9a-f]{64})\/merged$/.exec(path) ?? [];
    return layers.has(layer) ? [path] : [];
  });
}

async function imageLayers(): Promise<ReadonlySet<string>> {
  const layers = JSON.parse(await readFile("/var/lib/containers/storage/overlay-layers/layers.json", "utf8"));
  return new Set((layers as readonly { readonly id: string }[]).map(({ id }) => id));
}

async function countOf(path: string): Promise<number | undefined> {
  const counts = JSON.parse(await readFile(mountCounts, "utf8")) as readonly { path: string; count: number }[];
  return counts.find((mount) => mount.path === path)?.count;
}

/** A daemon in the place of one that is killed, if it still runs. */
async function restarted(scene: Scene, runtime: RuntimeName, config = ""): Promise<Scene> {
  scene.cri.close();
  await scene.daemon.stop("SIGKILL");
  const daemon = await startDaemon({ runtime, dir: scene.daemon.dir, config });
  const cri = openCri(daemon.socket);
  return {
    daemon,
    cri,
    async [Symbol.asyncDispose]() {
      cri.close();
      await daemon[Symbol.asyncDispose]();
    },
  };
}
