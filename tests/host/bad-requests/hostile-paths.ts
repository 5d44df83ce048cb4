/** Paths of a request and of an image lead nowhere but where they may (attack classes 7, 8 and 14). */
import assert from "node:assert/strict";
import { mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { CriError } from "../../support/daemon/cri.ts";
import { busyboxLayer, installedBusybox, type TarEntry } from "../../support/fixtures/index.ts";
import { guardHost, type HostGuard } from "../bad-input/host-guard.ts";
import { pushImage } from "../bad-input/push.ts";
import { expectRefusal, leavesNothing } from "../bad-input/refusal.ts";
import {
  type ContainerConfig,
  type CreateRequest,
  execText,
  goodContainer,
  hostNetworkPod,
  type Scene,
  withContainer,
} from "../bad-input/scene.ts";
import { lineEnds, shown, spoiled } from "./variants.ts";

const outside = "/run/bad-input/outside";
const logs = "/var/log/pods/paths";

export function hostilePaths(scene: () => Scene): void {
  describe("a path", () => {
    const sandboxConfig = hostNetworkPod("paths", { logDirectory: logs });
    let podSandboxId = "";
    let guard: HostGuard | undefined;
    let base: readonly TarEntry[] = [];
    before(async () => {
      await mkdir(outside, { recursive: true });
      const path = installedBusybox();
      assert.ok(path !== undefined, "the node has no busybox");
      base = busyboxLayer(await readFile(path), ["sh", "cat", "sleep", "ls"]);
      guard = await guardHost();
      ({ podSandboxId } = await scene().cri.runtime.runPodSandbox({ config: sandboxConfig }));
    });
    after(async () => {
      await scene().cri.runtime.removePodSandbox({ podSandboxId });
      await guard?.check();
      assert.deepEqual(await readdir(outside), [], "nothing has come to the directory outside");
      await rm(outside, { recursive: true });
    });
    const request = (more: ContainerConfig = {}, name = "app"): CreateRequest => ({
      podSandboxId,
      sandboxConfig,
      config: goodContainer(name, more),
    });

    it("of a log that could lead out of the pod's log directory is refused", async () => {
      const { runtime } = scene().cri;
      const paths = [
        "..",
        "../x",
        "a/../../x",
        "./../x",
        "/../x",
        "a/..",
        ".",
        "a/",
        ...spoiled("app.log", ["\n", "\0", "\u007f"]),
      ];
      await leavesNothing(async () => {
        for (const logPath of paths) {
          const call = runtime.createContainer(request({ logPath }));
          await expectRefusal(call, { details: /^log_path / }).catch((error) => {
            throw new Error(`${shown(logPath)}: ${error}`, { cause: error });
          });
        }
        await withContainer(
          scene().cri,
          { ...request({ logPath: "app//0.log" }), started: false },
          async (containerId) => {
            const { status } = await runtime.containerStatus({ containerId });
            assert.equal(status?.logPath, `${logs}/app/0.log`);
          },
        );
      });
    });

    it("of a log directory that climbs or holds a control character is refused", async () => {
      const { runtime } = scene().cri;
      const directories = ["/var/log/pods/../../../etc/evil", "/..", "/var/log/\npods", "/var/log/pods\0/x"];
      await leavesNothing(async () => {
        for (const logDirectory of directories) {
          const config = hostNetworkPod("paths-bad", { logDirectory });
          await expectRefusal(runtime.runPodSandbox({ config }), { details: /^log_directory / });
          const create = { ...request(), sandboxConfig: { ...sandboxConfig, logDirectory } };
          await expectRefusal(runtime.createContainer(create), { details: /^log_directory / });
        }
        const config = hostNetworkPod("paths-bad", { logDirectory: "/etc/passwd/below" });
        const details = /^making the log directory \/etc\/passwd\/below: .*ENOTDIR/;
        await expectRefusal(runtime.runPodSandbox({ config }), { details });
      });
    });

    it("of a log through a symbolic link is refused, whoever has made the link", async () => {
      const { runtime } = scene().cri;
      await symlink(outside, `${logs}/linked`);
      await symlink(`${outside}/created`, `${logs}/dangling.log`);
      await writeFile(`${logs}/real`, "");
      await symlink(`${logs}/real`, `${logs}/leading.log`);
      await leavesNothing(async () => {
        for (const logPath of ["linked/0.log", "linked/deeper/0.log", "leading.log"]) {
          await expectRefusal(runtime.createContainer(request({ logPath })), { details: /^preparing the log / });
        }
        await withContainer(scene().cri, request({ logPath: "dangling.log" }), async () => {});
      });
      assert.deepEqual(await readdir(outside), []);
    });

    it("of a mount in the container stays in the container", async () => {
      const { cri } = scene();
      await mkdir("/run/bad-input/volume", { recursive: true });
      await writeFile("/run/bad-input/volume/seen", "");
      const places = [
        "data",
        "/a/../data",
        "//data//",
        "/data/../../../../run/bad-input/outside/x",
        "../../x",
        "/ü 雪/$(x)",
      ];
      await leavesNothing(async () => {
        for (const containerPath of [...places, ...spoiled("/data", lineEnds)]) {
          const mounts = [{ containerPath, hostPath: "/run/bad-input/volume" }];
          await withContainer(cri, { ...request({ mounts }), started: false }, async () => {}).catch(
            (error: unknown) => {
              assert.ok(error instanceof CriError && error.details !== "", `${shown(containerPath)}: ${error}`);
            },
          );
        }
        const mounts = [{ containerPath: "/a/../data", hostPath: "/run/bad-input/volume" }];
        await withContainer(cri, request({ mounts }), async (id) => {
          assert.equal(await execText(cri, id, "ls", "/data"), "seen\n");
        });
      });
      await rm("/run/bad-input/volume", { recursive: true });
    });

    it("of an image never leads out of its root file system", async () => {
      const { cri } = scene();
      const climb = `../../../../../../../../..${outside}`;
      const rooted: readonly (readonly TarEntry[])[] = [
        [{ is: "symlink", path: "work", target: outside }],
        [{ is: "symlink", path: "work", target: climb }],
        [{ is: "symlink", path: "work", target: "/proc/1/root/run/bad-input/outside" }],
        [{ is: "symlink", path: "work", target: "/proc/self/cwd" }],
        [{ is: "symlink", path: "etc/mtab", target: `${outside}/mtab` }],
        [{ is: "symlink", path: "etc/hostname", target: `${climb}/hostname` }],
        [{ is: "symlink", path: "etc/resolv.conf", target: `${outside}/resolv.conf` }],
        [{ is: "symlink", path: "run", target: outside }],
        [{ is: "symlink", path: "vol", target: climb }],
        [{ is: "symlink", path: "sys", target: outside }],
        [{ is: "symlink", path: "dev", target: climb }],
      ];
      const config = { WorkingDir: "/work/made", Volumes: { "/vol/made": {}, "/../..//vol2/../vol3": {} } };
      await leavesNothing(async () => {
        for (const [at, entries] of rooted.entries()) {
          const image = await pushImage(`links-${at}`, {
            layers: [base.filter(({ path }) => !["run", "dev", "sys"].includes(path)), entries],
            config,
          });
          await cri.image.pullImage({ image: { image } });
          const mounts = [{ containerPath: "/work/mounted", hostPath: "/run/bad-input" }];
          for (const more of [{}, { mounts }]) {
            await withContainer(cri, request({ image: { image }, ...more }), async () => {}).catch((error: unknown) => {
              assert.ok(error instanceof CriError && error.details !== "", `links-${at}: ${error}`);
            });
          }
          await cri.image.removeImage({ image: { image } });
          assert.deepEqual(await readdir(outside), [], JSON.stringify(entries));
        }
      });
    });

    it("of an image's working directory or volume that leads into a process is refused", async () => {
      const { cri } = scene();
      const configs = [{ WorkingDir: "/proc/self/fd/8" }, { WorkingDir: "relative" }, { WorkingDir: "/a\0b" }];
      await leavesNothing(async () => {
        for (const [at, config] of configs.entries()) {
          const image = await pushImage(`workdir-${at}`, { layers: [base], config });
          const pulled = await cri.image.pullImage({ image: { image } }).catch((error: unknown) => error);
          if (pulled instanceof CriError) continue;
          const call = cri.runtime.createContainer(request({ image: { image } }));
          await expectRefusal(call, { details: /working directory|NUL/ });
          await cri.image.removeImage({ image: { image } });
        }
      });
    });
  });
}
