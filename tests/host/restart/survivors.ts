import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { type Crictl, eventually } from "../../support/daemon/crictl.ts";
import type { Daemon } from "../../support/daemon/index.ts";
import { fixtureNames } from "../../support/fixtures/index.ts";
import { pidOf, snapshot, startTimeOf, statusOf } from "./watch.ts";

/** Prints a line now and then, and ends with 7 when it is asked to. */
const counting = "trap 'exit 7' TERM; n=0; while :; do echo line $n; n=$((n+1)); sleep 0.1; done";

/** Waits until it is asked to end: without the trap, a first process does not hear SIGTERM. */
const waiting = "trap exit TERM; while :; do sleep 0.1; done";

/** What the test leaves running when the daemon ends. */
interface Survivors {
  readonly pod: string;
  readonly podFile: string;
  readonly counter: string;
  readonly created: string;
  readonly exited: string;
  readonly sharedPod: string;
  readonly sharing: string;
  readonly hostPod: string;
  readonly all: readonly string[];
}

/**
 * Pods of three kinds with containers in every state; the daemon ends by `signal` and another one takes its place, which says the
 * same of all of them and can do everything with them.
 */
export async function survive(
  start: (before?: Daemon) => Promise<Daemon>,
  open: (daemon: Daemon) => Promise<Crictl>,
  signal: NodeJS.Signals,
): Promise<void> {
  await using first = await start();
  const crictl = await open(first);
  const survivors = await populate(crictl);
  const running = [survivors.counter, survivors.sharing];
  const processes = await Promise.all(
    running.map(async (id) => {
      const pid = await pidOf(crictl, id);
      return { pid, startTime: await startTimeOf(pid) };
    }),
  );
  const before = await snapshot(crictl);

  assert.equal(await first.stop(signal), signal === "SIGTERM" ? 0 : signal);
  const log = "/var/log/pods/survivors/counter.log";
  const { length } = await readFile(log, "utf8");
  await eventually("its log grows while no daemon is there", async () => (await readFile(log, "utf8")).length > length);

  await using second = await start(first);
  for (const { pid, startTime } of processes) {
    assert.ok(startTime !== undefined);
    assert.equal(await startTimeOf(pid), startTime, "the same process");
  }
  assert.deepEqual(await snapshot(crictl), before);
  await use(crictl, survivors);
  assert.ok(second.pid !== first.pid);
}

async function populate(crictl: Crictl): Promise<Survivors> {
  await crictl.do("pull", fixtureNames.busybox);
  const podFile = await crictl.podFile({
    name: "survivors",
    more: {
      labels: { app: "survivor", "example.org/empty": "" },
      annotations: { "example.org/note": 'a "quoted" ünïcode\nvalue' },
      dns_config: { servers: ["192.0.2.1"], searches: ["example.org"] },
      port_mappings: [{ container_port: 80, host_port: 18080, protocol: 0 }],
    },
  });
  const pod = await crictl.do("runp", podFile);
  const make = async (name: string, script: string, more: Readonly<Record<string, unknown>> = {}) =>
    await crictl.do(
      "create",
      pod,
      await crictl.containerFile({ name, image: fixtureNames.busybox, command: ["/bin/sh", "-c", script], more }),
      podFile,
    );
  const counter = await make("counter", counting, {
    labels: { tier: "front" },
    annotations: { "example.org/hash": "1a2b" },
    mounts: [{ container_path: "/mnt/host", host_path: "/etc", readonly: true }],
    linux: {
      resources: { memory_limit_in_bytes: 64 << 20, cpu_shares: 512, oom_score_adj: 900 },
      security_context: {
        namespace_options: { pid: 1 },
        run_as_user: { value: 1000 },
        supplemental_groups: [2000],
        capabilities: { drop_capabilities: ["NET_RAW"] },
      },
    },
  });
  const created = await make("created", `echo started late; ${waiting}`);
  const exited = await make("exited", "exit 3");
  await crictl.do("start", counter);
  await crictl.do("start", exited);
  await eventually("it exits", async () => (await statusOf(crictl, exited)).state === "CONTAINER_EXITED");

  const sharedPod = await crictl.do("runp", await crictl.podFile({ name: "shared", namespaces: { pid: 0 } }));
  const sharing = await crictl.do(
    "create",
    sharedPod,
    await crictl.containerFile({
      name: "sharing",
      image: fixtureNames.busybox,
      command: ["sleep", "1000"],
      security: { namespace_options: { pid: 0 } },
    }),
    await crictl.podFile({ name: "shared", namespaces: { pid: 0 } }),
  );
  await crictl.do("start", sharing);
  const hostFile = await crictl.podFile({ name: "host", namespaces: { network: 2, pid: 2, ipc: 2 } });
  const hostPod = await crictl.do("runp", hostFile);
  const stoppedPod = await crictl.do("runp", await crictl.podFile({ name: "stopped" }));
  await crictl.do("stopp", stoppedPod);
  const all = [pod, sharedPod, hostPod, stoppedPod];
  return { pod, podFile, counter, created, exited, sharedPod, sharing, hostPod, all };
}

/** Everything that can be done with a container still can. */
async function use(crictl: Crictl, survivors: Survivors): Promise<void> {
  const { pod, podFile, counter, created, exited, sharedPod, sharing } = survivors;
  assert.equal(await crictl.do("runp", podFile), pod, "the same runp is the same pod");
  assert.equal(await crictl.do("exec", "--sync", counter, "id", "-u"), "1000");
  assert.match(await crictl.do("exec", "--sync", sharing, "ps"), /1 root .*pause/);
  assert.match((await crictl.try("logs", "--tail", "1", counter)).stdout, /^line \d+\n$/);

  await crictl.do("start", created);
  await eventually("what was created before runs", async () =>
    (await crictl.try("logs", created)).stdout.includes("started late"),
  );
  const another = await crictl.containerFile({
    name: "new",
    image: fixtureNames.busybox,
    command: ["sh", "-c", waiting],
  });
  const fresh = await crictl.do("create", pod, another, podFile);
  await crictl.do("start", fresh);

  await crictl.do("stop", "--timeout", "10", counter);
  const { state, exitCode, reason } = await statusOf(crictl, counter);
  assert.deepEqual({ state, exitCode, reason }, { state: "CONTAINER_EXITED", exitCode: 7, reason: "Error" });
  await crictl.do("rm", counter);
  await crictl.do("rm", exited);
  await crictl.do("stopp", pod);
  assert.equal((await statusOf(crictl, created)).state, "CONTAINER_EXITED");
  await crictl.do("rmp", pod);
  await crictl.do("rmp", "--force", sharedPod);
  for (const id of survivors.all.filter((each) => ![pod, sharedPod].includes(each))) await crictl.do("rmp", "-f", id);
  assert.equal(await crictl.do("pods", "--quiet"), "");
  assert.equal(await crictl.do("ps", "--all", "--quiet"), "");
}
