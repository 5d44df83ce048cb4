/** The smoke flow on production's kind of node: systemd, pure cgroup v2, both cgroup managers. */
import assert from "node:assert/strict";
import { readFile, rmdir } from "node:fs/promises";
import { describe, it } from "node:test";
import { Crictl, eventually, noCrictl } from "../support/daemon/crictl.ts";
import { startDaemon } from "../support/daemon/index.ts";
import { fixtureNames } from "../support/fixtures/index.ts";
import { expectNoLeaks, takeInventory } from "../support/node/index.ts";
import { mustRun } from "../support/programs.ts";

const isGuest = (await readFile("/proc/cmdline", "utf8").catch(() => "")).includes("vmrun=");
const skip = !isGuest ? "for the virtual machine: run ./test vm" : noCrictl;
const memoryLimit = 64 << 20;

const kinds = [
  { cgroupManager: "systemd", runtime: "crun", parent: "test-pods.slice" },
  { cgroupManager: "cgroupfs", runtime: "crun", parent: "/test-pods" },
  { cgroupManager: "systemd", runtime: "runc", parent: "test-pods.slice" },
] as const;

describe("a node with systemd and cgroup v2", { skip }, () => {
  for (const { cgroupManager, runtime, parent } of kinds) {
    it(`runs a pod with ${runtime} and the ${cgroupManager} cgroup manager, and leaves nothing behind`, async () => {
      const before = await takeInventory();
      {
        await using daemon = await startDaemon({ cgroupManager, runtime });
        await smoke(await Crictl.open(daemon.socket), `${cgroupManager}-${runtime}`, parent);
      }
      await removeParent(cgroupManager);
      await expectNoLeaks(before, { ignore: ["images"] });
    });
  }
});

async function smoke(crictl: Crictl, name: string, parent: string): Promise<void> {
  await crictl.do("pull", fixtureNames.busybox);
  const podFile = await crictl.podFile({
    name,
    more: { linux: { cgroup_parent: parent, security_context: { namespace_options: { pid: 1 } } } },
  });
  const pod = await crictl.do("runp", podFile);
  const container = await crictl.do(
    "create",
    pod,
    await crictl.containerFile({
      name: "app",
      image: fixtureNames.busybox,
      command: ["sh", "-c", "echo hello; trap 'exit 3' TERM; while :; do sleep 0.2; done"],
      resources: { memory_limit_in_bytes: memoryLimit },
    }),
    podFile,
  );
  await crictl.do("start", container);
  await eventually("the log", async () => (await crictl.do("logs", container)).includes("hello"));
  assert.equal(await crictl.do("exec", "-s", container, "echo", "from exec"), "from exec");
  const { info } = JSON.parse(await crictl.do("inspect", container)) as { info: { pid: number } };
  const cgroup = (await readFile(`/proc/${info.pid}/cgroup`, "utf8")).trim().slice("0::".length);
  assert.ok(cgroup.includes("test-pods") || cgroup.includes("test.slice/test-pods.slice"), cgroup);
  assert.equal((await readFile(`/sys/fs/cgroup${cgroup}/memory.max`, "utf8")).trim(), String(memoryLimit));
  await crictl.do("stop", container);
  await crictl.do("rm", container);
  await crictl.do("stopp", pod);
  await crictl.do("rmp", pod);
}

/** The parent of pods is the kubelet's to make and to remove. */
async function removeParent(cgroupManager: "systemd" | "cgroupfs"): Promise<void> {
  if (cgroupManager === "systemd") await mustRun(["systemctl", "stop", "test-pods.slice", "test.slice"]);
  else await rmdir("/sys/fs/cgroup/test-pods");
}
