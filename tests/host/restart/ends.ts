import assert from "node:assert/strict";
import type { Crictl } from "../../support/daemon/crictl.ts";
import type { Daemon } from "../../support/daemon/index.ts";
import { fixtureNames } from "../../support/fixtures/index.ts";
import { type ContainerStatus, idsOf, monitorPidOf, pidOf, podState, statusOf, untilGone } from "./watch.ts";

type Start = (before?: Daemon) => Promise<Daemon>;
type Open = (daemon: Daemon) => Promise<Crictl>;

/** A way to end, and what is to be said of it. */
interface End {
  readonly name: string;
  readonly script: string;
  /** What ends it, sent to its first process. */
  readonly signal: NodeJS.Signals;
  readonly told: Pick<ContainerStatus, "state" | "exitCode" | "reason">;
}

const memoryLimitBytes = 32 << 20;
const exited = "CONTAINER_EXITED";
const waiting = "while :; do sleep 0.1; done";
const ends: readonly End[] = [
  {
    name: "completed",
    script: `trap 'exit 0' USR1; ${waiting}`,
    signal: "SIGUSR1",
    told: { state: exited, exitCode: 0, reason: "Completed" },
  },
  {
    name: "failed",
    script: `trap 'exit 3' USR1; ${waiting}`,
    signal: "SIGUSR1",
    told: { state: exited, exitCode: 3, reason: "Error" },
  },
  {
    name: "killed",
    script: waiting,
    signal: "SIGKILL",
    told: { state: exited, exitCode: 137, reason: "Error" },
  },
  {
    name: "hungry",
    script: `trap 'exec dd if=/dev/zero of=/dev/shm/x bs=1M' USR1; ${waiting}`,
    signal: "SIGUSR1",
    told: { state: exited, exitCode: 137, reason: "OOMKilled" },
  },
];

/** Containers end while no daemon is there; the next one tells of each how and when. */
export async function endAlone(start: Start, open: Open): Promise<void> {
  await using first = await start();
  const crictl = await open(first);
  await crictl.do("pull", fixtureNames.busybox);
  const podFile = await crictl.podFile({ name: "ends" });
  const pod = await crictl.do("runp", podFile);
  const containers = new Map<End, { readonly id: string; readonly pid: number; readonly startedAt: string }>();
  for (const end of ends) {
    const id = await startScript(crictl, { pod, podFile, name: end.name, script: end.script });
    const { startedAt } = await statusOf(crictl, id);
    containers.set(end, { id, pid: await pidOf(crictl, id), startedAt });
  }
  const bystander = await startScript(crictl, {
    pod,
    podFile,
    name: "bystander",
    script: `trap exit TERM; ${waiting}`,
  });
  await first.stop("SIGKILL");

  const times = new Map<End, { readonly from: number; readonly to: number }>();
  for (const [end, { pid }] of containers) {
    const from = Date.now();
    process.kill(pid, end.signal);
    await untilGone(pid);
    times.set(end, { from, to: Date.now() });
  }
  await using _second = await start(first);
  for (const [end, { id, startedAt }] of containers) {
    const status = await statusOf(crictl, id);
    const { state, exitCode, reason } = status;
    assert.deepEqual({ name: end.name, state, exitCode, reason }, { name: end.name, ...end.told });
    assert.equal(status.startedAt, startedAt);
    assertBetween(status.finishedAt, times.get(end));
  }
  const { state } = await statusOf(crictl, bystander);
  assert.equal(state, "CONTAINER_RUNNING");
  assert.equal(await podState(crictl, pod), "SANDBOX_READY");
  await crictl.do("stopp", pod);
  await crictl.do("rmp", pod);
}

/** conmon writes the exit file a little after the process is gone, and file times come from the clock's last tick. */
function assertBetween(time: string, span: { readonly from: number; readonly to: number } | undefined): void {
  assert.ok(span !== undefined);
  const at = Date.parse(time);
  assert.ok(at >= span.from - 20 && at <= span.to + 2_000, `${time} is when it ended`);
}

/** Without its monitor nobody sees how a container ends: no exit code is made up. */
export async function endUnseen(start: Start, open: Open): Promise<void> {
  await using first = await start();
  const crictl = await open(first);
  await crictl.do("pull", fixtureNames.busybox);
  const podFile = await crictl.podFile({ name: "unseen" });
  const pod = await crictl.do("runp", podFile);
  const script = `trap 'exit 0' TERM; ${waiting}`;
  const lost = await startScript(crictl, { pod, podFile, name: "lost", script });
  const unwatched = await startScript(crictl, { pod, podFile, name: "unwatched", script });
  const lostPid = await pidOf(crictl, lost);
  await first.stop("SIGKILL");
  for (const id of [lost, unwatched]) {
    const monitor = await monitorPidOf(id);
    process.kill(monitor, "SIGKILL");
    await untilGone(monitor);
  }
  process.kill(lostPid, "SIGKILL");
  await untilGone(lostPid);

  {
    await using _second = await start(first);
    await assertUnknown(crictl, lost);
    assert.equal((await statusOf(crictl, unwatched)).state, "CONTAINER_RUNNING", "it lives, and that is seen");
    assert.equal(await crictl.do("exec", "--sync", unwatched, "echo", "here"), "here");
    await crictl.do("stop", "--timeout", "10", unwatched);
    await assertUnknown(crictl, unwatched);
  }
  await using _third = await start(first);
  await assertUnknown(crictl, lost);
  await crictl.do("rm", lost);
  await crictl.do("stopp", pod);
  await crictl.do("rmp", pod);
  assert.deepEqual(await idsOf(crictl, "ps", "--all"), []);
}

async function assertUnknown(crictl: Crictl, container: string): Promise<void> {
  const { state, reason, message, exitCode } = await statusOf(crictl, container);
  assert.deepEqual(
    { state, reason, exitCode },
    { state: "CONTAINER_UNKNOWN", reason: "ContainerStatusUnknown", exitCode: 0 },
  );
  assert.match(message, /monitor.*gone/);
  assert.match(await crictl.do("ps", "--all", "--state", "unknown", "--quiet", "--no-trunc"), new RegExp(container));
}

/** A pod's infra process holds its PID namespace: when it ends, everything in the pod does. */
export async function endOfInfra(start: Start, open: Open): Promise<void> {
  await using first = await start();
  const crictl = await open(first);
  await crictl.do("pull", fixtureNames.busybox);
  const pods = await Promise.all(["away", "there"].map((name) => runSharing(crictl, name)));
  const [away, there] = pods;
  assert.ok(away !== undefined && there !== undefined);
  await first.stop("SIGKILL");
  process.kill(away.infraPid, "SIGKILL");
  await untilGone(away.infraPid);

  await using _second = await start(first);
  assert.equal(await podState(crictl, away.pod), "SANDBOX_NOTREADY");
  const { state, exitCode } = await statusOf(crictl, away.container);
  assert.deepEqual({ state, exitCode }, { state: exited, exitCode: 137 });
  assert.equal(await podState(crictl, there.pod), "SANDBOX_READY");
  process.kill(there.infraPid, "SIGKILL");
  await untilGone(there.infraPid);
  for (let state = ""; state !== "SANDBOX_NOTREADY"; ) state = await podState(crictl, there.pod);
  const refused = await crictl.try("create", there.pod, there.containerFile, there.podFile);
  assert.notEqual(refused.code, 0, "nothing can be created in a pod that is not ready");
  for (const { pod } of pods) {
    await crictl.do("stopp", pod);
    await crictl.do("rmp", pod);
  }
  assert.deepEqual(await idsOf(crictl, "pods"), []);
}

async function runSharing(crictl: Crictl, name: string) {
  const podFile = await crictl.podFile({ name, namespaces: { pid: 0 } });
  const pod = await crictl.do("runp", podFile);
  const containerFile = await crictl.containerFile({
    name: "app",
    image: fixtureNames.busybox,
    command: ["sleep", "1000"],
    security: { namespace_options: { pid: 0 } },
  });
  const container = await crictl.do("create", pod, containerFile, podFile);
  await crictl.do("start", container);
  const { info } = await crictl.json("inspectp", pod);
  const another = await crictl.containerFile({ name: "another", image: fixtureNames.busybox, command: ["true"] });
  return { pod, podFile, container, containerFile: another, infraPid: info.pid };
}

async function startScript(
  crictl: Crictl,
  options: { readonly pod: string; readonly podFile: string; readonly name: string; readonly script: string },
): Promise<string> {
  const { pod, podFile, name, script } = options;
  const file = await crictl.containerFile({
    name,
    image: fixtureNames.busybox,
    command: ["/bin/sh", "-c", script],
    resources: { memory_limit_in_bytes: memoryLimitBytes },
  });
  const id = await crictl.do("create", pod, file, podFile);
  await crictl.do("start", id);
  return id;
}
