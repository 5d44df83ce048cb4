/** What containers get from the node's configuration besides the image: default mounts, the time zone, GOMAXPROCS. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { defaultManager, type RuntimeName } from "../support/daemon/index.ts";
import { fixtureNames } from "../support/fixtures/index.ts";
import { expectNoLeaks, takeInventory } from "../support/node/index.ts";
import { mustRun } from "../support/programs.ts";
import { pushImage } from "./bad-input/push.ts";
import { expectRefusal, leavesNothing } from "./bad-input/refusal.ts";
import {
  type ContainerConfig,
  execText,
  goodContainer,
  goodPod,
  hostNetworkPod,
  mode,
  openScene,
  type PodConfig,
  type Scene,
  withContainer,
  withPod,
} from "./bad-input/scene.ts";

const users = [{ containerId: 0, hostId: 300_000, length: 65_536 }];
const zone = "Asia/Tokyo";
const zoneFile = `/usr/share/zoneinfo/${zone}`;

for (const runtime of ["crun", "runc"] as const satisfies readonly RuntimeName[]) {
  describe(`files from the node's configuration, with ${runtime}`, () => {
    let scene: Scene;
    let dir: string;
    let atFirst: Awaited<ReturnType<typeof takeInventory>>;
    before(async () => {
      atFirst = await takeInventory();
      dir = await mkdtemp("/run/container-files-");
      await makeSources(dir);
      const files = [`--default-mounts-file=${dir}/mounts.conf`, "--shared-cpuset=0"];
      scene = await openScene({ runtime, flags: [...files, `--timezone=${zone}`, "--min-injected-gomaxprocs=3"] });
    });
    after(async () => {
      await scene[Symbol.asyncDispose]();
      await rm(dir, { recursive: true });
      await expectNoLeaks(atFirst, { ignore: ["images"] });
    });

    /** Uses a container, after which everything is as before. */
    const inContainer = async (
      { pod = hostNetworkPod("files"), ...config }: ContainerConfig & { readonly pod?: PodConfig },
      use: (id: string) => Promise<void>,
    ): Promise<void> => {
      await leavesNothing(() =>
        withPod(scene.cri, { config: pod }, async (podSandboxId) => {
          const request = { podSandboxId, config: goodContainer("app", config), sandboxConfig: pod };
          await withContainer(scene.cri, request, use);
        }),
      );
    };

    it("are copies of the default mounts, each container's own", async () => {
      await inContainer({}, async (id) => {
        const { cri } = scene;
        const script = "stat -c '%a %u:%g' /run/secrets /run/secrets/sub /run/secrets/sub/key; ls /run/secrets";
        const modes = "755 0:0\n750 0:0\n640 0:0\n";
        assert.equal(await execText(cri, id, "sh", "-c", script), `${modes}linked\nsub\n`);
        assert.equal(await execText(cri, id, "cat", "/run/secrets/sub/key", "/run/secrets/linked"), "secret\none\n");
        assert.equal(await execText(cri, id, "cat", "/etc/one"), "one\n");
        await execText(cri, id, "sh", "-c", "echo changed > /etc/one");
      });
      assert.equal(await readFile(join(dir, "one"), "utf8"), "one\n");
      await inContainer({}, async (id) => {
        assert.equal(await execText(scene.cri, id, "cat", "/etc/one"), "one\n");
      });
    });

    it("belong to the root of a pod with users of its own", async () => {
      const namespaceOptions = { pid: mode.container, usernsOptions: { mode: mode.pod, uids: users, gids: users } };
      const linux = { securityContext: { namespaceOptions } };
      await inContainer({ linux, pod: goodPod("files", { linux }) }, async (id) => {
        const script = "stat -c '%a %u:%g' /run/secrets/sub/key; cat /run/secrets/sub/key";
        assert.equal(await execText(scene.cri, id, "sh", "-c", script), "640 0:0\nsecret\n");
        assert.equal(await execText(scene.cri, id, "date", "-d", "@0", "+%H"), "09\n");
      });
    });

    it("are not more than a container gets", async () => {
      const large = join(dir, "secrets/sub/large");
      await writeFile(large, "");
      await truncate(large, 2 ** 40);
      try {
        const config = hostNetworkPod("files");
        await leavesNothing(() =>
          withPod(scene.cri, { config }, async (podSandboxId) => {
            const request = { podSandboxId, config: goodContainer("app"), sandboxConfig: config };
            const details = /the default mounts are more than a container gets: \S+\/large goes beyond/;
            await expectRefusal(scene.cri.runtime.createContainer(request), { details });
          }),
        );
      } finally {
        await rm(large);
      }
    });

    it("say what time it is where the node says, by a copy of the node's zone", async () => {
      for (const readonlyRootfs of [false, true]) {
        const linux = { securityContext: { namespaceOptions: { pid: mode.container }, readonlyRootfs } };
        await inContainer({ linux }, async (id) => {
          assert.equal(await execText(scene.cri, id, "date", "-d", "@0", "+%H"), "09\n");
          const sum = (await execText(scene.cri, id, "sha256sum", "/etc/localtime")).split(" ")[0];
          assert.equal(
            sum,
            createHash("sha256")
              .update(await readFile(zoneFile))
              .digest("hex"),
          );
          const table = await execText(scene.cri, id, "grep", " /etc/localtime ", "/proc/mounts");
          assert.match(table, readonlyRootfs ? / ro,/ : / rw,/);
          assert.match(table, /nosuid,nodev,noexec/);
        });
      }
    });

    it("say so by a link where the image has the zone", async () => {
      const image = await pushImage("with-zones", {
        layers: [
          [
            { is: "directory", path: "etc" },
            { is: "symlink", path: "etc/localtime", target: "/nowhere" },
            { is: "file", path: zoneFile.slice(1), content: await readFile(zoneFile) },
          ],
        ],
      });
      await scene.cri.image.pullImage({ image: { image } });
      // The image has no programs: they come from another one.
      const mounts = [{ containerPath: "/bin", image: { image: fixtureNames.busybox }, imageSubPath: "bin" }];
      await inContainer({ image: { image }, command: ["/bin/sleep", "1000"], mounts }, async (id) => {
        assert.equal(await execText(scene.cri, id, "/bin/readlink", "/etc/localtime"), `..${zoneFile}\n`);
        assert.equal(await execText(scene.cri, id, "/bin/date", "-d", "@0", "+%H"), "09\n");
      });
    });

    it("set GOMAXPROCS where the kubelet promised CPUs and set no limit", async () => {
      const cgroupParent = defaultManager() === "systemd" ? "files-burstable.slice" : "/files-burstable";
      const pod = hostNetworkPod("files");
      const burstable = { ...pod, linux: { ...pod.linux, cgroupParent } };
      const linux = (resources: object) => ({ ...goodContainer("app").linux, resources });
      const { cri } = scene;
      const promised = { cpuShares: 2048n };
      const limited = { ...promised, cpuQuota: 50_000n, cpuPeriod: 100_000n };
      const expected = async (config: PodConfig, cases: readonly (readonly [resources: object, value: string])[]) =>
        await withPod(cri, { config }, async (podSandboxId) => {
          for (const [resources, value] of cases) {
            const container = goodContainer("app", { linux: linux(resources) });
            await withContainer(cri, { podSandboxId, config: container, sandboxConfig: config }, async (id) => {
              assert.equal(await execText(cri, id, "sh", "-c", `echo \${GOMAXPROCS:-none}`), `${value}\n`);
            });
          }
        });
      await leavesNothing(async () => {
        await expected(burstable, [
          [{ cpuShares: 2n }, "3"],
          [promised, "4"],
          [limited, "none"],
        ]);
        await expected(pod, [[promised, "none"]]);
        // The parent is the kubelet's to remove.
        await mustRun([
          "sh",
          "-c",
          "rmdir /sys/fs/cgroup/files-burstable /sys/fs/cgroup/*/files-burstable 2>/dev/null; :",
        ]);
      });
    });

    it("are what the daemon says at its start that it does not have yet, by name and once", async () => {
      const said = (await scene.daemon.log()).split("\n").filter((line) => line.includes("has no effect yet"));
      assert.equal(said.length, 1, said.join("\n"));
      assert.match(said[0] ?? "", /crio\.runtime\.shared_cpuset/);
    });
  });
}

async function makeSources(dir: string): Promise<void> {
  await mkdir(join(dir, "secrets/sub"), { recursive: true });
  await chmod(join(dir, "secrets/sub"), 0o750);
  await writeFile(join(dir, "secrets/sub/key"), "secret\n");
  await chmod(join(dir, "secrets/sub/key"), 0o640);
  await writeFile(join(dir, "one"), "one\n");
  await symlink("../one", join(dir, "secrets/linked"));
  await symlink("/nowhere", join(dir, "secrets/dangling"));
  await mustRun(["mkfifo", join(dir, "secrets/fifo")]);
  const lines = [`${dir}/secrets:/run/secrets`, `${dir}/one:/etc/../etc//one`, `${dir}/missing`, "/dev/zero:/zero"];
  await writeFile(join(dir, "mounts.conf"), ["# default mounts", ...lines, `${dir}/one:/`, "relative:/x"].join("\n"));
}
