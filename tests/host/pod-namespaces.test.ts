/** Which namespaces and files the containers of a pod have: their own, the pod's, another container's or the node's. */
import assert from "node:assert/strict";
import { readFile, readlink, stat } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import type { RuntimeName } from "../support/daemon/index.ts";
import { expectNoLeaks, takeInventory } from "../support/node/index.ts";
import { expectRefusal } from "./bad-input/refusal.ts";
import { execText, goodContainer, goodPod, mode, openScene, type Scene, withContainer } from "./bad-input/scene.ts";
import { inContainer } from "./in-container.ts";

const kinds = ["net", "ipc", "uts"] as const;

function podWith(namespaceOptions: object, more: object = {}) {
  return goodPod("spaces", { linux: { securityContext: { namespaceOptions } }, ...more });
}

function containerWith(namespaceOptions: object) {
  return { linux: { securityContext: { namespaceOptions } } };
}

for (const runtime of ["crun", "runc"] as const satisfies readonly RuntimeName[]) {
  describe(`namespaces of a pod, with ${runtime}`, () => {
    let scene: Scene;
    let atFirst: Awaited<ReturnType<typeof takeInventory>>;
    before(async () => {
      atFirst = await takeInventory();
      scene = await openScene({ runtime });
    });
    after(async () => {
      await scene[Symbol.asyncDispose]();
      await expectNoLeaks(atFirst, { ignore: ["images"] });
    });
    const ours = (kind: string) => readlink(`/proc/self/ns/${kind}`);
    const of = (pid: number, kind: string) => readlink(`/proc/${pid}/ns/${kind}`);
    const run = (id: string, script: string) => execText(scene.cri, id, "sh", "-c", script);

    it("are the pod's own, the same in all its containers, and go with it", async () => {
      await inContainer(scene, { pod: podWith({ pid: mode.container }) }, async ({ id, pid, podId, pod }) => {
        for (const kind of [...kinds, "pid", "mnt"]) assert.notEqual(await of(pid, kind), await ours(kind), kind);
        const second = { podSandboxId: podId, config: goodContainer("second"), sandboxConfig: pod };
        await withContainer(scene.cri, second, async (other) => {
          for (const kind of kinds) {
            assert.equal(
              await run(other, `readlink /proc/self/ns/${kind}`),
              await run(id, `readlink /proc/self/ns/${kind}`),
            );
          }
          assert.notEqual(await run(other, "readlink /proc/self/ns/pid"), await run(id, "readlink /proc/self/ns/pid"));
          await run(id, "echo shared > /dev/shm/file");
          assert.equal(await run(other, "cat /dev/shm/file"), "shared\n");
        });
        // Pinned, so that they are there for the next container too.
        const pins = (await readFile("/proc/self/mountinfo", "utf8"))
          .split("\n")
          .filter((line) => line.includes(podId));
        for (const kind of kinds)
          assert.ok(
            pins.some((line) => line.includes(`/${kind}ns/`)),
            `${kind}: ${pins.join("\n")}`,
          );
      });
    });

    it("are the node's where the pod says so", async () => {
      const all = { network: mode.node, ipc: mode.node, pid: mode.node };
      await inContainer(scene, { pod: podWith(all), container: containerWith(all) }, async ({ id, pid }) => {
        for (const kind of ["net", "ipc", "pid"]) assert.equal(await of(pid, kind), await ours(kind), kind);
        assert.equal((await run(id, "stat -c %d /dev/shm")).trim(), String((await stat("/dev/shm")).dev));
        assert.equal(await run(id, "cat /etc/hosts"), await readFile("/etc/hosts", "utf8"));
        assert.match(await run(id, "cat /sys/fs/cgroup/none 2>&1; grep -c . /proc/1/cmdline"), /\d/);
      });
    });

    it("of processes are one for the pod, in which its containers see each other and the pause process", async () => {
      const pod = podWith({ pid: mode.pod });
      const container = containerWith({ pid: mode.pod });
      await inContainer(scene, { pod, container }, async ({ id, podId }) => {
        assert.match(await run(id, "cat /proc/1/comm"), /pause|sh|busybox/);
        assert.notEqual(await run(id, "cat /proc/1/cmdline | tr '\\0' ' '"), "sleep 1000 ");
        const config = goodContainer("second", { ...container, command: ["sleep", "2222"] });
        await withContainer(scene.cri, { podSandboxId: podId, config, sandboxConfig: pod }, async () => {
          assert.match(await run(id, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"), /sleep 2222/);
        });
      });
    });

    it("of processes can be another container's, as long as it runs", async () => {
      const pod = podWith({ pid: mode.container });
      await inContainer(scene, { pod }, async ({ id, podId }) => {
        const debug = (targetId: string) => ({
          podSandboxId: podId,
          sandboxConfig: pod,
          config: goodContainer("debug", {
            ...containerWith({ pid: mode.target, targetId }),
            command: ["sleep", "3333"],
          }),
        });
        await withContainer(scene.cri, debug(id), async (debugger_) => {
          assert.equal(await run(debugger_, "cat /proc/1/cmdline | tr '\\0' ' '"), "sleep 1000 ");
          assert.match(await run(id, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"), /sleep 3333/);
        });
        const { createContainer } = scene.cri.runtime;
        const details = /target PID namespace specified with invalid target ID/;
        await expectRefusal(createContainer(debug("f".repeat(64))), { details });
        const ended = goodContainer("ended", { ...containerWith({ pid: mode.container }), command: ["true"] });
        await withContainer(
          scene.cri,
          { podSandboxId: podId, config: ended, sandboxConfig: pod, started: false },
          async (gone) => {
            await scene.cri.runtime.stopContainer({ containerId: gone, timeout: 0n });
            await expectRefusal(createContainer(debug(gone)), { details: /target PID namespace find PID/ });
          },
        );
      });
    });

    it("of processes cannot be the pod's where the pod has none", async () => {
      const pod = podWith({ pid: mode.container });
      await inContainer(scene, { pod }, async ({ podId }) => {
        const config = goodContainer("second", containerWith({ pid: mode.pod }));
        await expectRefusal(scene.cri.runtime.createContainer({ podSandboxId: podId, config, sandboxConfig: pod }), {
          details: /pod level PID namespace requested for the container, but pod sandbox was not similarly configured/,
        });
      });
    });

    it("have the sysctls of the request, as far as they are the pod's own to set", async () => {
      const before = await readFile("/proc/sys/kernel/shmmax", "utf8");
      const sysctls = {
        "kernel.shmmax": "4096",
        "net.ipv4.ip_forward": "1",
        "net.core.somaxconn": "777",
        "vm.swappiness": "1",
      };
      const namespaceOptions = { pid: mode.container };
      const own = goodPod("spaces", { linux: { sysctls, securityContext: { namespaceOptions } } });
      const values = "cat /proc/sys/kernel/shmmax /proc/sys/net/core/somaxconn";
      await inContainer(scene, { pod: own }, async ({ id }) => assert.equal(await run(id, values), "4096\n777\n"));
      const hosts = { network: mode.node, ipc: mode.node, pid: mode.container };
      const shared = goodPod("spaces", { linux: { sysctls, securityContext: { namespaceOptions: hosts } } });
      const somaxconn = await readFile("/proc/sys/net/core/somaxconn", "utf8");
      await inContainer(scene, { pod: shared }, async ({ id }) =>
        assert.equal(await run(id, values), before + somaxconn),
      );
      const log = await scene.daemon.log();
      for (const name of ["vm.swappiness", "kernel.shmmax", "net.core.somaxconn"]) {
        assert.ok(
          log.split("\n").some((line) => line.includes("Skipping") && line.includes(name)),
          name,
        );
      }
    });

    it("come with the pod's name, its DNS settings and an empty mark of a container", async () => {
      const dnsConfig = { servers: ["10.0.0.10", "fd00::a"], searches: ["a.svc", "b.svc"], options: ["ndots:5"] };
      const pod = podWith({ pid: mode.container }, { hostname: "web-0", dnsConfig });
      await inContainer(scene, { pod }, async ({ id }) => {
        assert.equal(await run(id, "hostname; cat /etc/hostname; echo $HOSTNAME"), "web-0\nweb-0\nweb-0\n");
        const lines = ["search a.svc b.svc", "nameserver 10.0.0.10", "nameserver fd00::a", "options ndots:5", ""];
        assert.equal(await run(id, "cat /etc/resolv.conf"), lines.join("\n"));
        assert.equal(await run(id, "wc -c < /run/.containerenv; readlink /etc/mtab"), "0\n/proc/mounts\n");
        assert.match(await run(id, "grep ' /dev/shm ' /proc/mounts"), /tmpfs .*size=65536k/);
      });
      await inContainer(scene, { pod: podWith({ pid: mode.container }) }, async ({ id, podId }) => {
        assert.equal(await run(id, "hostname"), `${podId.slice(0, 12)}\n`);
        assert.equal(await run(id, "cat /etc/resolv.conf"), await readFile("/etc/resolv.conf", "utf8"));
      });
    });
  });
}
