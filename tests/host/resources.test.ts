/** Limits of containers, as the kernel has them: given, changed, kept over a restart, and what becomes of those that go beyond. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { eventually } from "../support/daemon/crictl.ts";
import { type RuntimeName, startDaemon } from "../support/daemon/index.ts";
import { expectNoLeaks, takeInventory } from "../support/node/index.ts";
import { expectRefusal } from "./bad-input/refusal.ts";
import {
  type ContainerConfig,
  execText,
  goodContainer,
  hostNetworkPod,
  openScene,
  type Scene,
  withContainer,
  withPod,
} from "./bad-input/scene.ts";
import { cgroupFile, inContainer } from "./in-container.ts";

const files = {
  memory: { v1: "memory/memory.limit_in_bytes", v2: "memory.max" },
  quota: { v1: "cpu/cpu.cfs_quota_us", v2: "cpu.max" },
  shares: { v1: "cpu/cpu.shares", v2: "cpu.weight" },
  cpus: { v1: "cpuset/cpuset.cpus", v2: "cpuset.cpus" },
  pids: { v1: "pids/pids.max", v2: "pids.max" },
  hugepages: { v1: "hugetlb/hugetlb.2MB.limit_in_bytes", v2: "hugetlb.2MB.max" },
} as const;

const mib = 1n << 20n;

for (const runtime of ["crun", "runc"] as const satisfies readonly RuntimeName[]) {
  describe(`limits of containers, with ${runtime}`, () => {
    let scene: Scene;
    let atFirst: Awaited<ReturnType<typeof takeInventory>>;
    before(async () => {
      atFirst = await takeInventory();
      scene = await openScene({ runtime, flags: ["--pids-limit=99"] });
    });
    after(async () => {
      await scene[Symbol.asyncDispose]();
      await expectNoLeaks(atFirst, { ignore: ["images"] });
    });
    const limited = (resources: object, more: object = {}) => ({
      ...more,
      linux: { ...goodContainer("app").linux, resources },
    });

    it("are those of the request", async () => {
      const resources = {
        memoryLimitInBytes: 64n * mib,
        cpuQuota: 20_000n,
        cpuPeriod: 50_000n,
        cpuShares: 512n,
        cpusetCpus: "1",
        oomScoreAdj: 777n,
        hugepageLimits: [{ pageSize: "2MB", limit: 4n * mib }],
      };
      await inContainer(scene, { container: limited(resources) }, async ({ id, pid }) => {
        assert.equal(await cgroupFile(pid, files.memory), String(64n * mib));
        assert.match((await cgroupFile(pid, files.quota)) ?? "", /^20000( 50000)?$/);
        assert.match((await cgroupFile(pid, files.shares)) ?? "", /^(512|20|50|59)$/);
        assert.equal(await cgroupFile(pid, files.cpus), "1");
        assert.equal(await cgroupFile(pid, files.pids), "99");
        const hugepages = await cgroupFile(pid, files.hugepages);
        if (hugepages !== undefined) assert.equal(hugepages, String(4n * mib));
        assert.equal((await readFile(`/proc/${pid}/oom_score_adj`, "utf8")).trim(), "777");
        const { status } = await scene.cri.runtime.containerStatus({ containerId: id });
        const linux = status?.resources?.linux;
        assert.equal(linux?.memoryLimitInBytes, 64n * mib);
        assert.equal(linux?.cpuShares, 512n);
        assert.equal(linux?.cpusetCpus, "1");
        assert.equal(linux?.oomScoreAdj, 777n);
      });
    });

    it("hold: no process more than the limit, no memory more than the limit", async () => {
      await inContainer(scene, { container: limited({ memoryLimitInBytes: 64n * mib }) }, async ({ id }) => {
        const forks = "i=0; while [ $i -lt 150 ]; do sleep 9 & i=$((i+1)); done 2>&1";
        const { stdout, stderr } = await scene.cri.runtime.execSync({
          containerId: id,
          cmd: ["sh", "-c", forks],
          timeout: 20n,
        });
        assert.match(`${stdout}${stderr}`, /can't fork|Resource temporarily unavailable/);
      });
    });

    it("that no container can start with are refused", async () => {
      const refused = async (resources: object, details: RegExp) =>
        await inContainer(scene, {}, async ({ podId, pod }) => {
          const config = { ...goodContainer("bad"), ...limited(resources) };
          await expectRefusal(scene.cri.runtime.createContainer({ podSandboxId: podId, config, sandboxConfig: pod }), {
            details,
          });
        });
      await refused({ memoryLimitInBytes: 4096n }, /set memory limit 4096 too low; should be at least \d+ bytes/);
      await refused({ oomScoreAdj: 2000n }, /oom_score_adj 2000/);
      await refused({ cpusetCpus: "0-" }, /cpuset_cpus/);
    });

    /** Without a look at what is left over: the daemon is another one afterwards. */
    const withRunning = async (container: ContainerConfig, use: (id: string, pid: number) => Promise<void>) => {
      const config = hostNetworkPod("restarted");
      await withPod(scene.cri, { config }, async (podSandboxId) => {
        const request = { podSandboxId, config: goodContainer("app", container), sandboxConfig: config };
        await withContainer(scene.cri, request, async (id) => {
          const { info } = await scene.cri.runtime.containerStatus({ containerId: id, verbose: true });
          await use(id, (JSON.parse(info["info"] ?? "{}") as { readonly pid: number }).pid);
        });
      });
    };

    it("change while it runs, each alone, as its status says, also after a restart of the daemon", async () => {
      const first = { memoryLimitInBytes: 64n * mib, cpuQuota: 20_000n, cpuPeriod: 100_000n, cpuShares: 512n };
      await withRunning(limited(first), async (id, pid) => {
        const update = async (linux: object) =>
          await scene.cri.runtime.updateContainerResources({ containerId: id, linux });
        await update({ memoryLimitInBytes: 96n * mib });
        assert.equal(await cgroupFile(pid, files.memory), String(96n * mib));
        assert.match((await cgroupFile(pid, files.quota)) ?? "", /^20000/);
        await update({ cpuQuota: 30_000n, cpuPeriod: 100_000n, cpusetCpus: "0" });
        assert.match((await cgroupFile(pid, files.quota)) ?? "", /^30000/);
        assert.equal(await cgroupFile(pid, files.cpus), "0");
        await update({ memoryLimitInBytes: 48n * mib });
        assert.equal(await cgroupFile(pid, files.memory), String(48n * mib));
        const shown = async (cri: Scene["cri"]) => {
          const { status } = await cri.runtime.containerStatus({ containerId: id });
          const linux = status?.resources?.linux;
          return [linux?.memoryLimitInBytes, linux?.cpuQuota, linux?.cpusetCpus, linux?.cpuShares];
        };
        const expected = [48n * mib, 30_000n, "0", 512n];
        assert.deepEqual(await shown(scene.cri), expected);
        const { cri, daemon } = scene;
        await daemon.stop();
        const next = await startDaemon({ runtime, dir: daemon.dir, flags: ["--pids-limit=99"] });
        scene = {
          daemon: next,
          cri, // it connects again
          async [Symbol.asyncDispose]() {
            cri.close();
            await next[Symbol.asyncDispose]();
          },
        };
        assert.deepEqual(await eventually("the next daemon", () => shown(cri).catch(() => undefined)), expected);
      });
    });

    it("are not changed to what would kill the container at once", async () => {
      const command = ["sh", "-c", "dd if=/dev/zero of=/dev/shm/held bs=1M count=32 2>/dev/null; sleep 1000"];
      const container = limited({ memoryLimitInBytes: 128n * mib }, { command });
      await inContainer(scene, { container }, async ({ id, pid }) => {
        await eventually(
          "what it holds",
          async () =>
            (await execText(scene.cri, id, "sh", "-c", "wc -c < /dev/shm/held 2>/dev/null || echo 0")).trim() ===
            String(32n * mib),
        );
        const call = scene.cri.runtime.updateContainerResources({
          containerId: id,
          linux: { memoryLimitInBytes: 16n * mib },
        });
        const details =
          /memory validation failed: cannot decrease memory limit to 16777216 bytes: current usage is \d+ bytes/;
        await expectRefusal(call, { details });
        const negative = scene.cri.runtime.updateContainerResources({
          containerId: id,
          linux: { memoryLimitInBytes: -1n },
        });
        await expectRefusal(negative, { details: /invalid memory limit: -1 bytes \(cannot be negative\)/ });
        assert.equal(await cgroupFile(pid, files.memory), String(128n * mib));
        assert.equal((await scene.cri.runtime.containerStatus({ containerId: id })).status?.state, 1);
      });
    });

    it("tell a container that was killed for want of memory from one that somebody killed", async () => {
      const ended = async (command: readonly string[], kill: boolean) => {
        const seen: unknown[] = [];
        const config = goodContainer("ends", limited({ memoryLimitInBytes: 32n * mib }, { command }));
        await inContainer(scene, {}, async ({ podId, pod }) => {
          await withContainer(scene.cri, { podSandboxId: podId, config, sandboxConfig: pod }, async (id) => {
            const status = async () => await scene.cri.runtime.containerStatus({ containerId: id, verbose: true });
            if (kill)
              process.kill((JSON.parse((await status()).info["info"] ?? "{}") as { pid: number }).pid, "SIGKILL");
            const end = await eventually("the end", async () => {
              const now = (await status()).status;
              return now?.state === 2 ? now : undefined;
            });
            seen.push(end.exitCode, end.reason);
          });
        });
        return seen;
      };
      const greedy = ["sh", "-c", "x=x; while :; do x=$x$x$x; done"];
      assert.deepEqual(await ended(greedy, false), [137, "OOMKilled"]);
      assert.deepEqual(await ended(["sleep", "1000"], true), [137, "Error"]);
      assert.deepEqual(await ended(["sh", "-c", "exit 7"], false), [7, "Error"]);
      assert.deepEqual(await ended(["true"], false), [0, "Completed"]);
    });
  });
}
