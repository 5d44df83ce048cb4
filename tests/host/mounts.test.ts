/** What containers have of the node's files and devices, and how they have it. */
import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { RuntimeName } from "../support/daemon/index.ts";
import { fixtureNames } from "../support/fixtures/index.ts";
import { expectNoLeaks, takeInventory } from "../support/node/index.ts";
import { mustRun } from "../support/programs.ts";
import { expectRefusal } from "./bad-input/refusal.ts";
import {
  type ContainerConfig,
  execText,
  goodContainer,
  goodPod,
  hostNetworkPod,
  mode,
  openScene,
  type Scene,
} from "./bad-input/scene.ts";
import { inContainer } from "./in-container.ts";

const propagation = { private: 0, fromHost: 1, bidirectional: 2 } as const;

for (const runtime of ["crun", "runc"] as const satisfies readonly RuntimeName[]) {
  describe(`mounts and devices, with ${runtime}`, () => {
    let scene: Scene;
    let dir: string;
    let atFirst: Awaited<ReturnType<typeof takeInventory>>;
    before(async () => {
      atFirst = await takeInventory();
      dir = await mkdtemp("/run/mounts-");
      await mustRun(["mount", "-t", "tmpfs", "tmpfs", dir]);
      await mustRun(["mount", "--make-shared", dir]);
      await mkdir(join(dir, "data/inner"), { recursive: true });
      await mustRun(["mount", "-t", "tmpfs", "tmpfs", join(dir, "data/inner")]);
      await writeFile(join(dir, "data/file"), "content\n");
      scene = await openScene({
        runtime,
        flags: [`--absent-mount-sources-to-reject=${dir}/hostname`, "--device-ownership-from-security-context"],
      });
    });
    after(async () => {
      await scene[Symbol.asyncDispose]();
      await mustRun(["umount", join(dir, "data/inner")]);
      await mustRun(["umount", dir]);
      await rm(dir, { recursive: true });
      await expectNoLeaks(atFirst, { ignore: ["images"] });
    });
    const run = (id: string, script: string) => execText(scene.cri, id, "sh", "-c", script);
    const at = (hostPath: string, more: object = {}) => ({
      containerPath: "/mnt",
      hostPath: join(dir, hostPath),
      ...more,
    });
    const withMounts = async (mounts: NonNullable<ContainerConfig["mounts"]>, use: (id: string) => Promise<void>) =>
      await inContainer(scene, { container: { mounts } }, ({ id }) => use(id));
    const refused = async (container: ContainerConfig, details: RegExp, privileged = false) => {
      const pod = hostNetworkPod("test");
      const securityContext = { ...pod.linux?.securityContext, privileged };
      await inContainer(
        scene,
        { pod: { ...pod, linux: { securityContext } } },
        async ({ podId: podSandboxId, pod: sandboxConfig }) => {
          const config = goodContainer("bad", container);
          await expectRefusal(scene.cri.runtime.createContainer({ podSandboxId, config, sandboxConfig }), { details });
        },
      );
    };

    it("can be written, or read, or read all the way down, as the request says", async () => {
      const tries =
        "for f in /mnt/new /mnt/inner/new; do (echo x > $f) 2>/dev/null && { echo yes; rm $f; } || echo no; done";
      await withMounts([at("data")], async (id) => assert.equal(await run(id, tries), "yes\nyes\n"));
      await withMounts([at("data", { readonly: true })], async (id) => assert.equal(await run(id, tries), "no\nyes\n"));
      const deep = [at("data", { readonly: true, recursiveReadOnly: true })];
      const { runtimeHandlers } = await scene.cri.runtime.status({});
      const canDo = runtimeHandlers.find(({ name }) => name === "")?.features?.recursiveReadOnlyMounts;
      if (canDo) await withMounts(deep, async (id) => assert.equal(await run(id, tries), "no\nno\n"));
      else await refused({ mounts: deep }, /recursive read-only mount support is not available/);
      await refused({ mounts: [at("data", { recursiveReadOnly: true })] }, /conflicts with read-write mount/);
    });

    it("show later mounts of the node, or give it their own, only where the request says so", async () => {
      const mount = (path: string) => mustRun(["mount", "-t", "tmpfs", "tmpfs", path]);
      const later = join(dir, "data/later");
      await mkdir(later);
      const seen = "grep -c ' /mnt/later ' /proc/mounts || true";
      for (const [how, count] of [
        [propagation.private, "0\n"],
        [propagation.fromHost, "1\n"],
      ] as const) {
        await withMounts([at("data", { propagation: how })], async (id) => {
          await mount(later);
          try {
            assert.equal(await run(id, seen), count);
          } finally {
            await mustRun(["umount", later]);
          }
        });
      }
      const pod = hostNetworkPod("test");
      const privileged = { ...pod, linux: { securityContext: { ...pod.linux?.securityContext, privileged: true } } };
      const linux = { securityContext: { privileged: true, namespaceOptions: { pid: mode.container } } };
      const mounts = [at("data", { propagation: propagation.bidirectional })];
      await inContainer(scene, { pod: privileged, container: { mounts, linux } }, async ({ id }) => {
        await run(id, "mount -t tmpfs tmpfs /mnt/later");
        assert.match(await readFile("/proc/self/mountinfo", "utf8"), new RegExp(` ${later} `));
        await run(id, "umount /mnt/later");
      });
      await rm(later, { recursive: true });
      await mustRun(["mount", "--make-private", dir]);
      const notShared = [at("", { propagation: propagation.bidirectional })];
      await refused({ mounts: notShared }, /is mounted on ".*" but it is not a shared mount/);
      await mustRun(["mount", "--make-shared", dir]);
    });

    it("come in order of depth, follow a link at their source, and have missing sources made", async () => {
      await mkdir(join(dir, "inside"));
      await writeFile(join(dir, "inside/below"), "below\n");
      await symlink("data", join(dir, "link"));
      const mounts = [
        { containerPath: "/mnt/inner/deep", hostPath: join(dir, "inside") },
        { containerPath: "/mnt", hostPath: join(dir, "link") },
        { containerPath: "/made", hostPath: join(dir, "missing/source") },
      ];
      await mkdir(join(dir, "data/inner/deep"));
      await withMounts(mounts, async (id) => {
        assert.equal(await run(id, "cat /mnt/file /mnt/inner/deep/below; ls /made"), "content\nbelow\n");
        const { status } = await scene.cri.runtime.containerStatus({ containerId: id });
        assert.deepEqual(status?.mounts.map(({ containerPath }) => containerPath).toSorted(), [
          "/made",
          "/mnt",
          "/mnt/inner/deep",
        ]);
      });
      assert.equal((await stat(join(dir, "missing/source"))).mode & 0o7777, 0o755);
      await refused({ mounts: [at("hostname")] }, /path does not exist and will cause issues as a directory/);
      await refused({ mounts: [{ containerPath: "", hostPath: dir }] }, /mount\.ContainerPath is empty/);
      await refused({ mounts: [{ containerPath: "/mnt", hostPath: "" }] }, /mount\.HostPath is empty/);
    });

    it("are directories for the volumes that the image asks for", async () => {
      await scene.cri.image.pullImage({ image: { image: fixtureNames.configured } });
      const { image } = await scene.cri.image.imageStatus({ image: { image: fixtureNames.configured }, verbose: true });
      assert.notEqual(image, undefined);
      const container = { image: { image: fixtureNames.configured }, command: ["sleep", "1000"] };
      await inContainer(scene, { container }, async ({ id }) => {
        const { info } = await scene.cri.image.imageStatus({
          image: { image: fixtureNames.configured },
          verbose: true,
        });
        const spec = JSON.parse(info["info"] ?? "{}") as {
          imageSpec: { config: { Volumes?: Record<string, object> } };
        };
        const [volume = ""] = Object.keys(spec.imageSpec.config.Volumes ?? {});
        assert.notEqual(volume, "");
        assert.equal(await run(id, `stat -c %F ${volume}`), "directory\n");
      });
    });

    it("give the devices of the request, as nodes with its permissions or all of a directory", async () => {
      await mkdir(join(dir, "nodes/sub"), { recursive: true });
      await mustRun(["mknod", join(dir, "nodes/fuse"), "c", "10", "229"]);
      await mustRun(["mknod", join(dir, "nodes/sub/tun"), "c", "10", "200"]);
      await chmod(join(dir, "nodes/fuse"), 0o640);
      const securityContext = {
        runAsUser: { value: 1000n },
        runAsGroup: { value: 2000n },
        namespaceOptions: { pid: mode.container },
      };
      const devices = [
        { containerPath: "/dev/one", hostPath: join(dir, "nodes/fuse"), permissions: "r" },
        { containerPath: "/dev/all", hostPath: join(dir, "nodes"), permissions: "rwm" },
      ];
      // The directory they come from must be one in which nodes are nodes.
      await inContainer(scene, { container: { devices, linux: { securityContext } } }, async ({ id }) => {
        const stats = "stat -c '%n %t:%T %u:%g' /dev/one /dev/all/fuse /dev/all/sub/tun";
        assert.equal(
          await run(id, stats),
          "/dev/one a:e5 1000:2000\n/dev/all/fuse a:e5 0:0\n/dev/all/sub/tun a:c8 0:0\n",
        );
      });
      await inContainer(scene, { container: { devices: devices.slice(0, 1) } }, async ({ id }) => {
        const open = "for f in '< /dev/one' '> /dev/one'; do (eval exec 3$f) 2>/dev/null && echo yes || echo no; done";
        assert.equal(await run(id, open), "yes\nno\n");
      });
      const securePod = { privileged: true, namespaceOptions: { pid: mode.container } };
      const elsewhere = [{ containerPath: "/dev/null", hostPath: "/dev/zero", permissions: "rwm" }];
      const details = /device container path that already exists on the host/;
      await refused({ devices: elsewhere, linux: { securityContext: securePod } }, details, true);
      const bad = [{ containerPath: "/dev/x", hostPath: "/dev/zero", permissions: "rx" }];
      await refused({ devices: bad }, /device permissions "rx"/);
    });

    it("give a privileged container every device of the node, a writable /sys, and nothing masked", async () => {
      const pod = hostNetworkPod("test");
      const privileged = { ...pod, linux: { securityContext: { ...pod.linux?.securityContext, privileged: true } } };
      const linux = {
        securityContext: {
          privileged: true,
          namespaceOptions: { pid: mode.container },
          maskedPaths: ["/proc/kcore"],
          readonlyPaths: ["/proc/sys"],
        },
      };
      await inContainer(scene, { pod: privileged, container: { linux } }, async ({ id }) => {
        assert.equal(await run(id, "stat -c %t:%T /dev/fuse"), "a:e5\n");
        assert.match(await run(id, "grep ' /sys ' /proc/mounts"), / sysfs rw,/);
        assert.equal(await run(id, "grep -c -e ' /proc/kcore ' -e ' /proc/sys ' /proc/mounts || true"), "0\n");
        const sets = await run(id, "grep -e CapEff -e CapBnd -e Seccomp: /proc/1/status");
        const [effective, bounding] = [...sets.matchAll(/Cap(?:Eff|Bnd):\t(\w+)/g)].map(([, set]) => set);
        assert.equal(effective, bounding);
        assert.match(sets, /Seccomp:\t0/);
        const own = /CapBnd:\t(\w+)/.exec(await readFile("/proc/self/status", "utf8"))?.[1];
        assert.equal(bounding, own);
      });
      await inContainer(
        scene,
        { container: { linux: { securityContext: { ...linux.securityContext, privileged: false } } } },
        async ({ id }) => {
          assert.equal(await run(id, "ls /dev/fuse 2>/dev/null || echo none"), "none\n");
          assert.match(await run(id, "grep ' /sys ' /proc/mounts | tail -1"), / sysfs ro,/);
          assert.match(await run(id, "(echo x > /proc/sys/kernel/hostname) 2>&1 || true"), /[Rr]ead-only/);
          assert.equal(await run(id, "wc -c < /proc/interrupts"), "0\n");
        },
      );
      await inContainer(scene, { pod: goodPod("own") }, async ({ podId: podSandboxId, pod: sandboxConfig }) => {
        const config = goodContainer("bad", { linux });
        const details = /no privileged container allowed in sandbox/;
        await expectRefusal(scene.cri.runtime.createContainer({ podSandboxId, config, sandboxConfig }), { details });
      });
    });
  });
}
