import assert from "node:assert/strict";
import { truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Crictl } from "../../support/daemon/crictl.ts";
import type { Daemon } from "../../support/daemon/index.ts";
import { fixtureNames } from "../../support/fixtures/index.ts";
import { idsOf, podState, statusOf } from "./watch.ts";

const waiting = "trap 'exit 0' TERM; while :; do sleep 0.1; done";
const [dirs, runDirs] = ["/var/lib/containers/storage", "/run/containers/storage"];

/** Files that a power failure has emptied: each costs the pod or container that it is of, which can be removed, and nothing else. */
export async function damaged(
  start: (before?: Daemon) => Promise<Daemon>,
  open: (daemon: Daemon) => Promise<Crictl>,
): Promise<void> {
  await using first = await start();
  const crictl = await open(first);
  await crictl.do("pull", fixtureNames.busybox);
  const lost = await runPair(crictl, "lost");
  const copied = await runPair(crictl, "copied");
  const whole = await runPair(crictl, "whole");
  await first.stop("SIGKILL");
  await truncate(fileOf(dirs, lost.pod, "config.json"));
  await truncate(fileOf(runDirs, lost.pod, "config.json"));
  await truncate(fileOf(dirs, copied.pod, "config.json")); // the runtime's copy is whole
  await truncate(fileOf(dirs, whole.left, "config.json"));
  await truncate(fileOf(runDirs, whole.left, "config.json"));
  await writeFile(fileOf(dirs, whole.right, "state.json"), '{"status":"running","started":"yesterday"}');

  await using _second = await start(first);
  assert.equal(await podState(crictl, lost.pod), "SANDBOX_NOTREADY");
  assert.equal(await podState(crictl, copied.pod), "SANDBOX_READY");
  assert.equal(await podState(crictl, whole.pod), "SANDBOX_READY");
  for (const container of [lost.left, lost.right, copied.left, copied.right]) {
    assert.equal((await statusOf(crictl, container)).state, "CONTAINER_RUNNING");
  }
  for (const container of [whole.left, whole.right]) {
    const { state, reason, message } = await statusOf(crictl, container);
    assert.deepEqual([state, reason], ["CONTAINER_UNKNOWN", "ContainerStatusUnknown"]);
    assert.match(message, /damaged: .*(config|state)\.json/);
    await crictl.do("rm", container);
    assert.ok(!(await idsOf(crictl, "ps", "--all")).includes(container));
  }
  await crictl.do("stopp", lost.pod);
  await crictl.do("rmp", lost.pod);
  const again = await runPair(crictl, "lost");
  assert.equal(await podState(crictl, again.pod), "SANDBOX_READY", "its names are free");
  await crictl.do("rmp", "--all", "--force");
}

async function runPair(crictl: Crictl, name: string) {
  const podFile = await crictl.podFile({ name });
  const pod = await crictl.do("runp", podFile);
  const run = async (each: string) => {
    const command = ["/bin/sh", "-c", waiting];
    const file = await crictl.containerFile({ name: each, image: fixtureNames.busybox, command });
    const container = await crictl.do("create", pod, file, podFile);
    await crictl.do("start", container);
    return container;
  };
  return { pod, left: await run("left"), right: await run("right") };
}

function fileOf(root: string, id: string, name: string): string {
  return join(root, "overlay-containers", id, "userdata", name);
}
