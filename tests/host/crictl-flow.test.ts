/** One pod from pull to rmi, by crictl, with crun and with runc. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { Crictl, eventually, noCrictl } from "../support/daemon/crictl.ts";
import { type RuntimeName, startDaemon } from "../support/daemon/index.ts";
import { fixtureNames } from "../support/fixtures/index.ts";
import { compareInventories, takeInventory } from "../support/node/index.ts";

for (const runtime of ["crun", "runc"] as const satisfies readonly RuntimeName[]) {
  describe(`crictl with ${runtime}`, { skip: noCrictl }, () => {
    it("pulls, runs, logs, execs, lists, inspects, stops and removes, and leaves nothing", async () => {
      const before = await takeInventory();
      {
        await using daemon = await startDaemon({ runtime });
        await flow(await Crictl.open(daemon.socket), runtime);
      }
      assert.deepEqual(compareInventories(before, await takeInventory()), []);
    });

    it("runs a pod that shares a PID namespace, in an infra container", async () => {
      const before = await takeInventory();
      {
        await using daemon = await startDaemon({ runtime });
        await sharedPid(await Crictl.open(daemon.socket));
      }
      assert.deepEqual(compareInventories(before, await takeInventory()), []);
    });
  });
}

async function flow(crictl: Crictl, runtime: RuntimeName): Promise<void> {
  assert.match(await crictl.do("version"), /RuntimeName:\s+cri-o\nRuntimeVersion:\s+1\.37\.0\nRuntimeApiVersion:\s+v1/);
  const image = (await crictl.do("pull", fixtureNames.busybox)).split(" ").at(-1);
  assert.match(await crictl.do("images"), /docker\.io\/library\/busybox\s+latest/);

  const podFile = await crictl.podFile({ name: `flow-${runtime}` });
  const pod = await crictl.do("runp", podFile);
  assert.match(pod, /^[0-9a-f]{64}$/);
  assert.equal(await crictl.do("runp", podFile), pod, "a second runp of the same pod is the same pod");
  const { status } = await crictl.json("inspectp", pod);
  assert.equal(status.state, "SANDBOX_READY");
  assert.match(status.network.ip, /^10\.88\.77\.\d+$/);

  const script = "echo out; echo err >&2; printf partial; trap 'exit 7' TERM; while :; do sleep 0.1; done";
  const containerFile = await crictl.containerFile({
    name: "app",
    image: fixtureNames.busybox,
    command: ["/bin/sh", "-c", script],
    resources: { memory_limit_in_bytes: 64 << 20, cpu_shares: 256, oom_score_adj: 500 },
    more: { envs: [{ key: "GREETING", value: "hello" }], labels: { tier: "test" } },
  });
  const container = await crictl.do("create", pod, containerFile, podFile);
  assert.match(await crictl.do("ps", "--all"), new RegExp(`${container.slice(0, 13)}.*Created`));
  await crictl.do("start", container);

  assert.match(await crictl.do("ps", "--quiet"), new RegExp(container));
  assert.equal(await crictl.do("ps", "--quiet", "--label", "tier=other"), "");
  const inspect = await crictl.json("inspect", container);
  assert.equal(inspect.status.state, "CONTAINER_RUNNING");
  assert.equal(inspect.status.resources.linux["memoryLimitInBytes"], String(64 << 20));
  await eventually("the log has both lines", async () => {
    const logs = await crictl.try("logs", container);
    return logs.stdout.includes("out\n") && logs.stderr.includes("err\n");
  });
  const log = await readFile(`/var/log/pods/flow-${runtime}/app.log`, "utf8");
  assert.match(log, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}\S+ stdout F out$/m);

  const exec = await crictl.do(
    "exec",
    "--sync",
    container,
    "sh",
    "-c",
    "hostname; cat /proc/1/oom_score_adj; echo $GREETING",
  );
  assert.equal(exec, `${pod.slice(0, 12)}\n500\nhello`);
  const failing = await crictl.try("exec", "--sync", container, "sh", "-c", "echo oops >&2; exit 3");
  assert.match(failing.stderr, /exited with 3: oops/);
  const missing = await crictl.try("exec", "--sync", container, "no-such-command");
  assert.match(missing.stderr, /no-such-command.*not found/);
  const late = await crictl.try("exec", "--sync", "--timeout", "1", container, "sleep", "30");
  assert.match(`${late.stdout}${late.stderr}`, /command timed out/);

  await crictl.do("stats", "--id", container).catch(() => ""); // not there before issue 3
  await crictl.do("stop", "--timeout", "10", container);
  const stopped = await crictl.json("inspect", container);
  assert.equal(stopped.status.state, "CONTAINER_EXITED");
  assert.equal(stopped.status.exitCode, 7, "its own exit code, from the trap");
  assert.equal(stopped.status.reason, "Error");
  await crictl.do("stop", container);
  await crictl.do("rm", container);
  assert.equal(await crictl.do("ps", "--all", "--quiet"), "");
  await crictl.do("stopp", pod);
  await crictl.do("stopp", pod);
  assert.match(await crictl.do("pods"), /NotReady/);
  await crictl.do("rmp", pod);
  assert.equal(await crictl.do("pods", "--quiet"), "");
  await crictl.do("rmi", fixtureNames.busybox);
  assert.equal(await crictl.do("images", "--quiet"), "");
  assert.ok(image !== undefined);
}

async function sharedPid(crictl: Crictl): Promise<void> {
  await crictl.do("pull", fixtureNames.busybox);
  const podFile = await crictl.podFile({ name: "shared-pid", namespaces: { pid: 0 } });
  const pod = await crictl.do("runp", podFile);
  const containerFile = await crictl.containerFile({
    name: "app",
    image: fixtureNames.busybox,
    command: ["sleep", "1000"],
    security: { namespace_options: { pid: 0 } },
  });
  const container = await crictl.do("create", pod, containerFile, podFile);
  await crictl.do("start", container);
  const seen = await crictl.do("exec", "--sync", container, "ps");
  assert.match(seen, /1 root .*pause/, "the pause process is the first of the shared namespace");
  assert.match(await crictl.do("images"), /registry\.k8s\.io\/pause/);
  await crictl.do("rmp", "--force", pod);
  await crictl.do("rmi", "--all");
}
