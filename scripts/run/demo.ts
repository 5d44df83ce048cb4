import { spawn } from "node:child_process";
import { once as onceEvent } from "node:events";
import { existsSync, openSync } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fixtureImages, installedBusybox } from "../../tests/support/fixtures/index.ts";
import { nodeBinary, projectRoot } from "../../tests/support/paths.ts";
import { mustRun } from "../../tests/support/programs.ts";
import { startRegistry } from "../../tests/support/registry/server.ts";
import { isBuildStale } from "./build-stale.ts";
import { chooseRuntime } from "./choose-runtime.ts";
import { bridgeName, writeConfiguration } from "./configuration.ts";
import type { Interrupt } from "./interrupt.ts";
import { say } from "./say.ts";

export interface DemoOptions {
  readonly once: boolean;
  readonly interrupt: Interrupt;
}

const dir = "/run/crio-ts";
const socket = "/var/run/crio/crio.sock";
const startTimeoutMs = 60_000;

/** Everything in order; what was started is put away in the reverse order, whatever happens. */
export async function runDemo({ once, interrupt }: DemoOptions): Promise<void> {
  const { signal } = interrupt;
  if (isBuildStale()) {
    say("building bin/crio");
    await mustRun([nodeBinary, "scripts/build.ts"], { cwd: projectRoot });
  }
  const runtime = await chooseRuntime();
  for (const { name, version, why } of runtime.rejected) say(`not using ${name} ${version}: ${why}`);
  say(`using ${runtime.name} ${runtime.version}, which ran a test container`);

  await using undo = new AsyncDisposableStack();
  await mkdir(dir, { recursive: true });
  undo.defer(() => rm(dir, { recursive: true, force: true }));

  say("starting a registry on loopback with images made of Debian's busybox");
  const registry = undo.use(
    await startRegistry({
      folder: await fixtureImages(installedBusybox()),
      listeners: [{ host: "127.0.0.1", port: 0 }],
    }),
  );
  const address = registry.addresses[0] ?? "";

  const systemd = existsSync("/run/systemd/system");
  const manager = systemd ? "systemd" : "cgroupfs";
  say(`starting crio on ${socket}, cgroup manager ${manager}${systemd ? "" : " (systemd does not run here)"}`);
  await writeConfiguration({ dir, runtime: runtime.name, manager, registry: address });
  undo.defer(removeBridge);
  await startDaemon(undo, signal);

  const { DemoPod } = await import("./pod.ts"); // it needs what the build generates
  const pod = new DemoPod({ socket, registry: address, dir });
  undo.defer(() => pod.close());
  say(`pulling ${pod.image}`);
  await pod.pull();
  say("running a pod with a container");
  undo.defer(async () => {
    say("removing the pod");
    await pod.remove();
  });
  const { ip, log } = await pod.run(signal);
  process.stdout.write(`\n   the container's log:\n${indented(log)}\n   the pod's IP: ${ip}\n`);
  process.stdout.write(`   crictl: crictl --runtime-endpoint unix://${socket} ps\n`);
  process.stdout.write(`   the daemon's log: ${join(dir, "crio.log")}\n\n`);
  if (once) return;
  say("running; Ctrl-C removes the pod and ends");
  await interrupt.wait();
}

/** Starts the daemon and waits until it serves. Its end is awaited when the stack is disposed of. */
async function startDaemon(undo: AsyncDisposableStack, signal: AbortSignal): Promise<void> {
  const logPath = join(dir, "crio.log");
  const log = openSync(logPath, "w");
  // A group of its own: Ctrl-C on the terminal is for us, and we end the daemon after the pod.
  const daemon = spawn(
    join(projectRoot, "bin/crio"),
    ["--config-dir", join(dir, "crio.conf.d"), "--registries-conf", join(dir, "registries.conf")],
    { stdio: ["ignore", log, log], detached: true },
  );
  const ended = onceEvent(daemon, "exit");
  undo.defer(async () => {
    daemon.kill("SIGTERM");
    await ended;
  });
  const deadline = Date.now() + startTimeoutMs;
  while (!(await readFile(logPath, "utf8")).includes("serving CRI")) {
    signal.throwIfAborted();
    if (daemon.exitCode !== null || daemon.signalCode !== null || Date.now() > deadline) {
      const words = (await readFile(logPath, "utf8")).trim().split("\n").slice(-5).join("\n");
      throw new Error(`crio did not start. The end of its log:\n${words}`);
    }
    await sleep(50);
  }
}

/** The bridge plugin leaves its bridge; nothing else uses this one. */
async function removeBridge(): Promise<void> {
  await mustRun(["sh", "-c", `ip link show ${bridgeName} >/dev/null 2>&1 && ip link delete ${bridgeName} || true`]);
}

function indented(text: string): string {
  return text
    .split("\n")
    .map((line) => `      ${line}`)
    .join("\n");
}
