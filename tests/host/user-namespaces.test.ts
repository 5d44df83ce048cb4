/** Pods with users of their own (`hostUsers: false`): root inside is nobody in particular on the host. */
import assert from "node:assert/strict";
import { chown, mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { openCri } from "../support/daemon/cri.ts";
import { eventually } from "../support/daemon/crictl.ts";
import { defaultManager, type RuntimeName, startDaemon } from "../support/daemon/index.ts";
import { expectNoLeaks, takeInventory } from "../support/node/index.ts";
import { expectRefusal, leavesNothing } from "./bad-input/refusal.ts";
import {
  type ContainerConfig,
  type CreateRequest,
  execText,
  goodContainer,
  goodPod,
  mode,
  openScene,
  type PodConfig,
  type Scene,
  withContainer,
  withPod,
} from "./bad-input/scene.ts";

const first = 300_000;
const count = 65_536;
const ids = [{ containerId: 0, hostId: first, length: count }];
const userns = { mode: mode.pod, uids: ids, gids: ids };
const own = { pid: mode.container, usernsOptions: userns };
const name = "users";
const parent = defaultManager() === "systemd" ? "users.slice" : "";

type NamespaceOptions = NonNullable<
  NonNullable<NonNullable<PodConfig["linux"]>["securityContext"]>["namespaceOptions"]
>;

const podWith = (namespaceOptions: NamespaceOptions): PodConfig =>
  goodPod(name, { linux: { cgroupParent: parent, securityContext: { namespaceOptions } } });
const containerWith = (more: ContainerConfig = {}): ContainerConfig =>
  goodContainer("app", { linux: { securityContext: { namespaceOptions: own } }, ...more });

for (const runtime of ["crun", "runc"] as const satisfies readonly RuntimeName[]) {
  describe(`a pod with users of its own, with ${runtime}`, () => {
    let scene: Scene;
    let atFirst: Awaited<ReturnType<typeof takeInventory>>;
    before(async () => {
      atFirst = await takeInventory();
      scene = await openScene({ runtime });
      await scene.cri.image.pullImage({ image: { image: "registry.k8s.io/pause:3.10.1" } });
    });
    after(async () => {
      await scene[Symbol.asyncDispose]();
      await expectNoLeaks(atFirst, { ignore: ["images"] });
    });

    const inPod = async (
      options: NamespaceOptions,
      container: ContainerConfig,
      use: (id: string) => Promise<void>,
    ): Promise<void> => {
      const sandboxConfig = podWith(options);
      await leavesNothing(() =>
        withPod(scene.cri, { config: sandboxConfig }, async (podSandboxId) => {
          const request: CreateRequest = { podSandboxId, config: container, sandboxConfig };
          await withContainer(scene.cri, request, use);
        }),
      );
    };

    it("has a root that is mapped, and owns what the image's root owns", async () => {
      await inPod(own, containerWith(), async (id) => {
        const { cri } = scene;
        for (const map of ["uid_map", "gid_map"]) {
          assert.deepEqual((await execText(cri, id, "cat", `/proc/self/${map}`)).trim().split(/\s+/).map(Number), [
            0,
            first,
            count,
          ]);
        }
        assert.match(await execText(cri, id, "id"), /^uid=0\(root\) gid=0\(root\)/);
        for (const path of ["/", "/bin/busybox", "/etc", "/etc/mtab", "/etc/hostname", "/dev/shm", "/etc/passwd"]) {
          assert.equal((await execText(cri, id, "stat", "-c", "%u:%g", path)).trim(), "0:0", path);
        }
        const pid = await initPid(id);
        assert.equal((await stat(`/proc/${pid}`)).uid, first);
      });
    });

    it("writes as its own ids: to its root file system, /dev/shm and a directory that it is given", async () => {
      const shared = "/run/bad-input-users";
      await mkdir(shared, { recursive: true });
      await chown(shared, first, first);
      try {
        const mounts = [{ containerPath: "/data", hostPath: shared }];
        await inPod(own, containerWith({ mounts }), async (id) => {
          const script =
            "echo a > /new; echo b > /dev/shm/x; echo c > /data/y; chown 7:8 /new; stat -c %u:%g /new /data/y";
          assert.equal(await execText(scene.cri, id, "sh", "-c", script), "7:8\n0:0\n");
          const merged = JSON.parse(
            await readFile(`/var/lib/containers/storage/overlay-containers/${id}/userdata/config.json`, "utf8"),
          ) as {
            root: { path: string };
          };
          const { uid, gid } = await stat(`${merged.root.path}/new`);
          assert.deepEqual([uid, gid], [first + 7, first + 8]);
          assert.equal((await stat(`${shared}/y`)).uid, first);
        });
      } finally {
        await rm(shared, { recursive: true });
      }
    });

    const mapsVolumes = runtime === "crun"; // Debian 13's runc 1.1 cannot
    it(`${mapsVolumes ? "maps" : "says that it cannot map"} the owners of a volume that belongs to the host's root`, async () => {
      const volume = "/run/bad-input-volume";
      await mkdir(volume, { recursive: true, mode: 0o700 });
      try {
        const mounts = [{ containerPath: "/data", hostPath: volume, uidMappings: ids, gidMappings: ids }];
        const use = async (id: string) => {
          const script = "echo x > /data/new; stat -c %u:%g /data /data/new";
          assert.equal(await execText(scene.cri, id, "sh", "-c", script), "0:0\n0:0\n");
          assert.equal((await stat(`${volume}/new`)).uid, 0);
        };
        const run = inPod(own, containerWith({ mounts }), use);
        if (mapsVolumes) await run;
        else await expectRefusal(run, { details: /^idmap mounts specified but OCI runtime does not support them/ });
      } finally {
        await rm(volume, { recursive: true });
      }
    });

    it("is announced to the kubelet where volumes can be mapped", async () => {
      const { runtimeHandlers } = await scene.cri.runtime.status({});
      assert.equal(runtimeHandlers.find(({ name: each }) => each === runtime)?.features?.userNamespaces, mapsVolumes);
    });

    it("runs a process as a user that the image does not know, with a line of its own", async () => {
      const security = { namespaceOptions: own, runAsUser: { value: 4711n }, runAsGroup: { value: 4712n } };
      await inPod(own, containerWith({ linux: { securityContext: security } }), async (id) => {
        assert.match(await execText(scene.cri, id, "id"), /^uid=4711\(.*\) gid=4712/);
        assert.equal((await stat(`/proc/${await initPid(id)}`)).uid, first + 4711);
      });
    });

    it("cannot touch what is root's on the host, nor the network of others", async () => {
      const mounts = [{ containerPath: "/host", hostPath: "/run/bad-input-host" }];
      await mkdir("/run/bad-input-host", { recursive: true });
      await writeFile("/run/bad-input-host/file", "host's\n", { mode: 0o600 });
      try {
        await inPod(own, containerWith({ mounts }), async (id) => {
          const attempt = "cat /host/file 2>/dev/null || echo no; echo x 2>/dev/null > /host/new || echo no";
          assert.equal(await execText(scene.cri, id, "sh", "-c", attempt), "no\nno\n");
          assert.match(await execText(scene.cri, id, "ip", "-o", "addr"), /eth0 .*10\.88\.77\./);
        });
      } finally {
        await rm("/run/bad-input-host", { recursive: true });
      }
    });

    it("shares the host's network where it asks for that", async () => {
      await inPod({ ...own, network: mode.node }, containerWith(), async (id) => {
        assert.match(await execText(scene.cri, id, "cat", "/proc/self/uid_map"), new RegExp(`0\\s+${first}`));
        assert.match(await execText(scene.cri, id, "cat", "/etc/hosts"), /localhost/);
      });
    });

    it("shares a PID namespace in an infra container", async () => {
      const shared = { ...own, pid: mode.pod };
      const container = containerWith({ linux: { securityContext: { namespaceOptions: shared } } });
      await inPod(shared, container, async (id) => {
        // until it is started, the runtime's own process is the first
        await eventually("the pause process", async () => /1 root .*pause/.test(await execText(scene.cri, id, "ps")));
      });
    });

    it("goes on under another daemon, and can be removed by it", async () => {
      const config = podWith(own);
      const { podSandboxId } = await scene.cri.runtime.runPodSandbox({ config });
      const create = { podSandboxId, config: containerWith(), sandboxConfig: config };
      const { containerId } = await scene.cri.runtime.createContainer(create);
      await scene.cri.runtime.startContainer({ containerId });
      await scene.daemon.stop("SIGKILL");
      scene.cri.close();
      const daemon = await startDaemon({ runtime, dir: scene.daemon.dir });
      const cri = openCri(daemon.socket);
      scene = {
        daemon,
        cri,
        async [Symbol.asyncDispose]() {
          cri.close();
          await daemon[Symbol.asyncDispose]();
        },
      };
      assert.match(await execText(cri, containerId, "id"), /^uid=0\(root\)/);
      const { status } = await cri.runtime.podSandboxStatus({ podSandboxId });
      assert.deepEqual(status?.linux?.namespaces?.options?.usernsOptions?.uids, ids);
      const second = containerWith({ metadata: { name: "second", attempt: 0 } });
      await withContainer(cri, { ...create, config: second }, async (id) => {
        assert.match(await execText(cri, id, "cat", "/proc/self/uid_map"), new RegExp(`0\\s+${first}`));
      });
      await cri.runtime.stopContainer({ containerId, timeout: 0n });
      await cri.runtime.removePodSandbox({ podSandboxId });
    });

    const bad: readonly (readonly [what: string, options: NamespaceOptions["usernsOptions"], details: RegExp])[] = [
      ["without ids", { mode: mode.pod }, /invalid id mappings : there is none/],
      ["without groups", { mode: mode.pod, uids: ids }, /there is none/],
      [
        "without a root",
        { mode: mode.pod, uids: [{ containerId: 1, hostId: first, length: 10 }], gids: ids },
        /do not map id 0, the pod's root/,
      ],
      ["with ids twice", { mode: mode.pod, uids: [...ids, ...ids], gids: ids }, /ranges overlap/],
      [
        "with ids beyond the last",
        { mode: mode.pod, uids: [{ containerId: 0, hostId: 4_294_967_290, length: 100 }], gids: ids },
        /ends beyond the last id/,
      ],
      ["of a container", { mode: mode.container }, /unsupported pod mode: "CONTAINER"/],
      ["of a target", { mode: mode.target }, /unsupported pod mode: "TARGET"/],
      ["that are the host's, and mapped", { mode: mode.node, uids: ids, gids: ids }, /mode NODE/],
    ];
    for (const [what, usernsOptions, details] of bad) {
      it(`refuses users ${what}`, async () => {
        const config = podWith({ pid: mode.container, usernsOptions });
        await leavesNothing(() => expectRefusal(scene.cri.runtime.runPodSandbox({ config }), { details }));
      });
    }

    it("refuses a process whose user its namespace does not have", async () => {
      const config = podWith(own);
      await leavesNothing(() =>
        withPod(scene.cri, { config }, async (podSandboxId) => {
          const security = { namespaceOptions: own, runAsUser: { value: 70_000n } };
          const bad = containerWith({ linux: { securityContext: security } });
          await expectRefusal(scene.cri.runtime.createContainer({ podSandboxId, config: bad, sandboxConfig: config }), {
            details: /the pod's user namespace has no user 70000: it maps 0:300000:65536/,
          });
        }),
      );
    });

    const initPid = async (containerId: string): Promise<number> => {
      const { info } = await scene.cri.runtime.containerStatus({ containerId, verbose: true });
      return (JSON.parse(info["info"] ?? "{}") as { pid: number }).pid;
    };
  });
}
