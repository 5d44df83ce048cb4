import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Crictl } from "../../support/daemon/crictl.ts";
import type { Daemon } from "../../support/daemon/index.ts";
import { fixtureNames } from "../../support/fixtures/index.ts";
import { compareInventories, type Inventory, takeInventory } from "../../support/node/index.ts";
import { crioBinary } from "../../support/paths.ts";
import { idsOf, podState, statusOf } from "./watch.ts";

const settleMs = 5_000;
const waiting = "trap 'exit 0' TERM; while :; do sleep 0.1; done";

export interface KillsOptions {
  readonly start: (before?: Daemon) => Promise<Daemon>;
  readonly open: (daemon: Daemon) => Promise<Crictl>;
  readonly kills: number;
  readonly seed: number;
  readonly log: (line: string) => void;
}

/**
 * Lives of pods, from runp to rmp, cut off by the end of the daemon at random instants, which the seed repeats as far as the machine
 * does: by SIGKILL, now and then by SIGTERM; and now and then the next daemon is killed too, while it sets things right. After each, what
 * the daemon lists is whole: what is ready can be used, all can be removed, and then nothing is left over. The names are the same in
 * every life: none stays taken.
 */
export async function killAtRandom({ start, open, kills, seed, log }: KillsOptions): Promise<void> {
  const random = randomNumbers(seed);
  let daemon = await start();
  try {
    const crictl = await open(daemon);
    await crictl.do("pull", fixtureNames.busybox);
    await crictl.do("pull", fixtureNames.pause);
    const lives = [await planLife(crictl, "plain", 1), await planLife(crictl, "sharing", 0)];
    const before = await takeInventory();
    const startedMs = performance.now();
    await Promise.all(lives.map((life) => live(crictl, life, { killed: () => false })));
    const lengthMs = performance.now() - startedMs;
    for (let kill = 1; kill <= kills; kill++) {
      const atMs = random() * lengthMs * 1.05;
      const signal = random() < 0.25 ? "SIGTERM" : "SIGKILL";
      const startUpMs = random() < 0.3 ? random() * 1_000 : undefined;
      let killed = false;
      const doing = lives.map((life) => live(crictl, life, { killed: () => killed }));
      await sleep(atMs);
      killed = true;
      assert.equal(await daemon.stop(signal), signal === "SIGKILL" ? signal : 0);
      const reached = (await Promise.all(doing)).join(" and ");
      if (startUpMs !== undefined) await startAndKill(daemon, startUpMs);
      const again = startUpMs === undefined ? "" : `, and ${Math.round(startUpMs)} ms after the next start`;
      const when = `${signal} ${kill} of seed ${seed}, at ${Math.round(atMs)} of ${Math.round(lengthMs)} ms, during ${reached}${again}`;
      log(when);
      daemon = await start(daemon);
      const found = await takeStock(crictl, lives).catch((error: unknown) => {
        throw new Error(`${when}: ${error}`, { cause: error });
      });
      const leaks = await leaksOf(before, daemon);
      assert.deepEqual(leaks, [], `left over after ${when}, which left ${found}:\n${await daemon.log().then(tail)}`);
    }
  } finally {
    await daemon.stop();
  }
}

/** A daemon in the place of the one that was killed, which does not get far. */
async function startAndKill({ dir }: Daemon, afterMs: number): Promise<void> {
  const child = spawn(crioBinary, ["--config", join(dir, "crio.conf"), "--config-dir", ""], { stdio: "ignore" });
  const ended = once(child, "exit");
  await sleep(afterMs);
  child.kill("SIGKILL");
  await ended;
}

/** What is there now and was not before, but for the daemon, when all has settled. */
async function leaksOf(before: Inventory, daemon: Daemon): Promise<readonly string[]> {
  for (const until = Date.now() + settleMs; ; await sleep(100)) {
    const differences = compareInventories(before, await takeInventory());
    const files = (await readdir(tmpdir())).filter((name) => name.startsWith("crio-"));
    const leaks = [...differences, ...files].filter((line) => !line.endsWith(`(pid ${daemon.pid})`));
    if (leaks.length === 0 || Date.now() > until) return leaks;
  }
}

/** A pod with two containers: the files that crictl is given. */
interface Life {
  readonly name: string;
  readonly podFile: string;
  readonly first: string;
  readonly second: string;
}

async function planLife(crictl: Crictl, name: string, pid: number): Promise<Life> {
  const container = (each: string) =>
    crictl.containerFile({
      name: each,
      image: fixtureNames.busybox,
      command: ["/bin/sh", "-c", waiting],
      security: { namespace_options: { pid } },
    });
  const podFile = await crictl.podFile({ name, namespaces: { pid } });
  return { name, podFile, first: await container("first"), second: await container("second") };
}

/** One life of a pod; resolves with the step it was in when the daemon was killed. */
async function live(crictl: Crictl, life: Life, watch: { readonly killed: () => boolean }): Promise<string> {
  const { name, podFile, first, second } = life;
  let step = "";
  const run = async (what: string, ...args: readonly string[]): Promise<string> => {
    step = `${what} of ${name}`;
    return await crictl.do(...args);
  };
  try {
    const pod = await run("runp", "runp", podFile);
    const one = await run("create", "create", pod, first, podFile);
    await run("start", "start", one);
    await run("exec", "exec", "--sync", one, "sleep", "0.2");
    const two = await run("second create", "create", pod, second, podFile);
    await run("second start", "start", two);
    await run("stop", "stop", "--timeout", "5", one);
    await run("rm", "rm", one);
    await run("stopp", "stopp", pod);
    await run("rmp", "rmp", pod);
    return `nothing of ${name}`;
  } catch (error) {
    if (watch.killed()) return step;
    throw error;
  }
}

/** Everything that is listed is whole, and can be removed. Resolves with what was there. */
async function takeStock(crictl: Crictl, lives: readonly Life[]): Promise<string> {
  const found: string[] = [];
  for (const container of await idsOf(crictl, "ps", "--all")) found.push(await checkContainer(crictl, container));
  for (const pod of await idsOf(crictl, "pods")) {
    const { status } = await crictl.json("inspectp", pod);
    const life = lives.find(({ name }) => name === status.labels["io.kubernetes.pod.name"]);
    assert.ok(life !== undefined);
    found.push(`pod ${life.name} ${status.state}`);
    if (status.state === "SANDBOX_READY") await checkPod(crictl, { pod, life, ip: status.network.ip });
    else await crictl.do("stopp", pod);
    await crictl.do("rmp", "--force", pod);
  }
  assert.deepEqual(await idsOf(crictl, "pods"), []);
  assert.deepEqual(await idsOf(crictl, "ps", "--all"), []);
  return found.join(", ") || "nothing";
}

/** A container is in the state that it is said to be in: what was created starts, and what runs can be entered. */
async function checkContainer(crictl: Crictl, container: string): Promise<string> {
  const { state } = await statusOf(crictl, container);
  if (state === "CONTAINER_CREATED") await crictl.do("start", container);
  if (state === "CONTAINER_CREATED" || state === "CONTAINER_RUNNING") {
    assert.equal(await crictl.do("exec", "--sync", container, "echo", "here"), "here");
  }
  return `container ${container.slice(0, 12)} ${state}`;
}

/** A pod that is ready has its network, and can be given containers. */
async function checkPod(
  crictl: Crictl,
  { pod, life, ip }: { readonly pod: string; readonly life: Life; readonly ip: string },
): Promise<void> {
  assert.match(ip, /^10\.88\.77\.\d+$/);
  const probe = await crictl.containerFile({
    name: "probe",
    image: fixtureNames.busybox,
    command: ["/bin/sh", "-c", waiting],
  });
  const container = await crictl.do("create", pod, probe, life.podFile);
  await crictl.do("start", container);
  assert.match(await crictl.do("exec", "--sync", container, "ip", "address"), new RegExp(`${ip}/`));
  await crictl.do("rm", "--force", container);
  assert.equal(await podState(crictl, pod), "SANDBOX_READY");
}

/** Numbers from 0 to 1 that the seed decides (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function tail(log: string): string {
  return log.slice(log.lastIndexOf("Starting CRI-O")).slice(0, 8000);
}
