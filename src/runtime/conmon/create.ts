import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { join } from "node:path";
import { deadline, Fault, inStep, reasonOf, untilAborted } from "../../base/index.ts";
import {
  adoptOrphan,
  exitStatusText,
  onAllCpus,
  readProcess,
  type StartedProgram,
  sendSignal,
  startProgram,
} from "../../host/index.ts";
import { type RuntimeHandler, runtimeEnv } from "../handler.ts";
import { readJsonLine } from "./json-line.ts";

/** How long a killed monitor may take to be gone. */
const reapTimeoutMs = 5_000;

/** How long conmon may take to end once it has said something that is no answer. */
const endPatienceMs = 1_000;

/** How long a killed conmon may take to be gone; one that waits in the kernel is not waited for. */
const killedPatienceMs = 5_000;

/** What conmon needs to know to create a container. The bundle's `config.json` is already there. */
export interface CreateOptions {
  readonly id: string;
  /** The `k8s_…` name. */
  readonly name: string;
  /** The bundle: RunDir, on a tmpfs. */
  readonly bundle: string;
  /** Dir, which survives a reboot: conmon leaves the exit code there. */
  readonly persistDir: string;
  readonly logPath: string;
  readonly logSizeMax?: bigint;
  /** Write to the systemd journal besides the log. */
  readonly logToJournald?: boolean;
  readonly terminal: boolean;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly exitsDir: string;
  readonly attachDir: string;
  readonly logLevel: string;
  readonly noPivot: boolean;
  /** Another runtime program than the handler's (`platform_runtime_paths`). */
  readonly runtimePath?: string;
  /** Puts conmon into its cgroup before it starts anything. */
  readonly placeMonitor: (pid: number) => Promise<void>;
}

/** A process, told apart from a later one with the same pid by its start time (field 22 of /proc/PID/stat). */
export interface KnownProcess {
  readonly pid: number;
  readonly startTime: string;
}

export interface CreatedContainer {
  readonly init: KnownProcess;
  readonly monitor: KnownProcess | undefined;
}

/**
 * Creates a container under a conmon of its own, by conmon's protocol: start it with a sync and a start pipe, put it into
 * its cgroup, let it go, and read the pid of the container's first process, or the runtime's complaint.
 *
 * Rejects with `container create failed: <the runtime's words>`, or conmon's own and how it ended when it gave no answer, or with code
 * `deadline` after the handler's create timeout; conmon and whatever it started are then gone or going, and `deleteInRuntime` clears
 * what the runtime kept.
 */
export async function createUnderConmon(
  handler: RuntimeHandler,
  options: CreateOptions,
  signal?: AbortSignal,
): Promise<CreatedContainer> {
  const next = { atMs: performance.now() + handler.createTimeoutMs, what: "is killed" };
  const pid = async () => (await monitorOf(options.bundle).catch(() => undefined))?.pid; // only to be shown
  return await inStep("creating the container in the runtime", () => create(handler, options, signal), {
    waitsFor: { is: "program", command: `${handler.monitor.path} -r ${handler.path}`, pid },
    next: () => next,
  });
}

async function create(
  handler: RuntimeHandler,
  options: CreateOptions,
  signal: AbortSignal | undefined,
): Promise<CreatedContainer> {
  using limit = deadline(handler.createTimeoutMs, `create container timeout: ${handler.path} create`, signal);
  const conmon = await startProgram(handler.monitor.path, conmonArgs(handler, options), {
    cwd: options.bundle,
    env: { ...runtimeEnv(handler), _OCI_SYNCPIPE: "3", _OCI_STARTPIPE: "4" },
    stdio: ["null", "null", "read", "socket", "socket"],
    newProcessGroup: true,
    cpus: handler.programCpus,
  });
  const [, , stderr, sync, start] = conmon.stdio;
  if (stderr === undefined || sync === undefined || start === undefined)
    throw new Fault("failed", "conmon has no pipes");
  const said = collectTail(stderr);
  try {
    start.on("error", () => {}); // conmon that died says so on the sync pipe
    const answer = readJsonLine(sync, limit); // from now on: a stream that has ended does not say so twice
    answer.catch(() => {});
    await untilAborted(placeUnlessEnded(conmon.pid, options), limit);
    start.end(Buffer.from([0]));
    const message = await answer.catch(async (error: unknown) => {
      throw limit.aborted ? error : await noAnswer(handler, { conmon, stderr, said }, error);
    });
    const pid = message.pid;
    if (typeof pid !== "number" || !(pid > 0)) {
      const words = typeof message.message === "string" ? message.message.trim() : said().trim();
      throw new Fault("failed", words === "" ? "container create failed" : `container create failed: ${words}`);
    }
    // It has its cgroup's CPUs now, but the kernel remembers those that conmon was started on.
    if (handler.programCpus.length > 0) await onAllCpus(pid);
    return { init: await known(pid), monitor: await monitorOf(options.bundle) };
  } catch (error) {
    conmon.kill(9);
    await Promise.race([conmon.exited, new Promise((resolve) => setTimeout(resolve, killedPatienceMs))]);
    await killMonitor(options.bundle);
    throw error;
  } finally {
    start.destroy();
    sync.destroy();
    stderr.destroy();
  }
}

/** The command line of conmon for one container (conmon's own manual page names the flags). */
export function conmonArgs(handler: RuntimeHandler, options: CreateOptions): readonly string[] {
  const args = [
    ...["-b", options.bundle, "-c", options.id, "--exit-dir", options.exitsDir, "-l", options.logPath],
    ...["--log-level", options.logLevel, "-n", options.name, "-P", join(options.bundle, "conmon-pidfile")],
    ...["-p", join(options.bundle, "pidfile"), "--persist-dir", options.persistDir],
    ...["-r", options.runtimePath ?? handler.path, "--runtime-arg", `--root=${handler.root}`],
    ...["--socket-dir-path", options.attachDir, "--syslog", "-u", options.id],
  ];
  if (handler.systemdCgroup) args.push("-s");
  if (options.logSizeMax !== undefined && options.logSizeMax >= 0n)
    args.push("--log-size-max", String(options.logSizeMax));
  if (handler.noSyncLog) args.push("--no-sync-log");
  if (options.logToJournald) args.push("--log-path", "journald:");
  if (options.noPivot) args.push("--no-pivot");
  if (options.terminal) args.push("-t");
  if (options.stdin) args.push(...(options.stdinOnce ? ["-i"] : ["--leave-stdin-open", "-i"]));
  return args;
}

/** A conmon that has ended already cannot be placed; why it did is on its sync pipe and stderr. */
async function placeUnlessEnded(pid: number, { placeMonitor }: CreateOptions): Promise<void> {
  try {
    await placeMonitor(pid);
  } catch (error) {
    const found = await readProcess(pid);
    if (found !== undefined && found.state !== "Z") throw error;
  }
}

/**
 * The Fault of a conmon that says nothing, or nothing that makes sense: with how it ended, and its words on stderr. One that has left
 * the rest to its child has ended well; the child, or the runtime, was killed then.
 */
async function noAnswer(
  { monitor, path }: RuntimeHandler,
  { conmon, stderr, said }: { readonly conmon: StartedProgram; readonly stderr: Socket; readonly said: () => string },
  error: unknown,
): Promise<Fault> {
  const { promise: patience, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(resolve, endPatienceMs, undefined);
  const closed = stderr.closed ? undefined : new Promise((done) => stderr.once("close", done));
  const ended = Promise.all([conmon.exited, closed]).then(([exit]) => exit);
  const exit = await Promise.race([ended, patience]);
  clearTimeout(timer);
  const how = exit === undefined || (exit.is === "exited" && exit.code === 0) ? "" : exitStatusText(exit);
  const words = [reasonOf(error), how, complaintsIn(said())].filter((part) => part !== "");
  const command = `${monitor.path} -r ${path}`;
  return new Fault("failed", `container create failed: ${command}: ${words.join(": ")}`, { cause: error });
}

/** Without what it says at log levels such as debug, `[conmon:d]: …`. */
function complaintsIn(said: string): string {
  const lines = said.split("\n").filter((line) => !/^\[conmon:[dit]\]/.test(line));
  return lines.join("\n").trim();
}

async function known(pid: number): Promise<KnownProcess> {
  const found = await readProcess(pid);
  // A process that has ended already has no start time to read; its exit file tells the rest.
  return { pid, startTime: found?.startTime ?? "" };
}

async function monitorOf(bundle: string): Promise<KnownProcess | undefined> {
  const text = await readFile(join(bundle, "conmon-pidfile"), "utf8").catch(() => "");
  const pid = /^\d{1,10}$/.test(text.trim()) ? Number(text) : 0;
  if (pid <= 1) return undefined;
  const found = await readProcess(pid);
  return found === undefined ? undefined : { pid, startTime: found.startTime };
}

/** Kills the monitor that conmon has made of itself, and reaps it: with the conmon that we started gone, it is our child. */
async function killMonitor(bundle: string): Promise<void> {
  const monitor = await monitorOf(bundle);
  if (monitor === undefined) return;
  sendSignal(monitor.pid, 9);
  using limit = deadline(reapTimeoutMs, `waiting for the end of conmon (pid ${monitor.pid})`);
  await adoptOrphan(monitor.pid, { signal: limit }).catch(() => {}); // somebody else has reaped it, or it waits in the kernel
}

/** Keeps the last kilobytes of what a program says on stderr. */
function collectTail(stream: Socket): () => string {
  let tail = Buffer.alloc(0);
  stream.on("data", (chunk: Buffer) => {
    tail = Buffer.concat([tail, chunk]).subarray(-4096);
  });
  stream.on("error", () => {});
  return () => tail.toString("utf8");
}
