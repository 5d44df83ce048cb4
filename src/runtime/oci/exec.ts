import { rm, writeFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { deadline, Fault, inStep, reasonOf, untilAborted } from "../../base/index.ts";
import {
  adoptOrphan,
  type ExitStatus,
  listenForConsole,
  type StartedProgram,
  startProgram,
  type Terminal,
  terminalOf,
} from "../../host/index.ts";
import { type Process, runtimeJson } from "../../oci/index.ts";
import { makeExecDirectory, writeExecFiles } from "../exec-directory.ts";
import { type RuntimeHandler, runtimeEnv } from "../handler.ts";
import { execPid, killExec, killExecSession, startedPid } from "../kill-exec.ts";

/** How long a runtime may take to start a process in a container. */
const startTimeoutMs = 60_000;
const keptWords = 4096;
/** How long a command that was killed may take to end, before it is left to whoever reaps orphans. */
const endMs = 2_000;
/** How long a terminal that a runtime has sent may take to be received. */
const handOverMs = 100;
/** How long the terminal of a command that did not start may take to be over. */
const screenTimeoutMs = 1_000;

export interface ExecOptions {
  readonly id: string;
  /** The container's process with `args` and `terminal` replaced. */
  readonly process: Process;
  readonly stdin: boolean;
  /** A directory in memory for the files of execs without a terminal. */
  readonly execDir: string;
  /** Another runtime program than the handler's. */
  readonly runtimePath?: string;
  readonly signal?: AbortSignal;
}

/** A process running in a container beside its first one. */
export interface ExecSession extends AsyncDisposable {
  readonly io: ExecIo;
  /** Settles when the runtime has done its part, well or not. */
  readonly started: Promise<ExitStatus>;
  /** How the process ended. */
  readonly exited: Promise<ExitStatus>;
  /** Kills the process. */
  kill(): void;
  /** Kills the process with its whole session, or the runtime that is about to start it, and waits for that two seconds at most. */
  endAll(): Promise<void>;
}

/** With a terminal there is one stream each way, otherwise the usual three. */
export type ExecIo =
  | { readonly is: "terminal"; readonly terminal: Terminal }
  | { readonly is: "pipes"; readonly stdin: Socket | undefined; readonly stdout: Socket; readonly stderr: Socket };

/**
 * Starts a process in a container by `runtime exec`, without a monitor. The caller disposes of the session, which kills the process if
 * it still runs. Rejects with the runtime's words when a terminal was asked for; without one, the runtime's complaint is what the
 * session's stderr says.
 */
export async function startExec(handler: RuntimeHandler, options: ExecOptions): Promise<ExecSession> {
  if (options.process.terminal !== true) return await startWithPipes(handler, options);
  const dir = await makeExecDirectory();
  try {
    await writeFile(join(dir, "process.json"), runtimeJson(options.process), { mode: 0o600 });
    return await startWithTerminal(handler, options, dir);
  } catch (error) {
    await forget(dir);
    throw error;
  }
}

/**
 * The runtime gives our pipes to the process and ends: nothing stands between us and the command, and a child that keeps the pipes
 * open holds up no runtime (runc copies, and waits for their end). The process becomes our child, since the daemon is a subreaper.
 */
async function startWithPipes(handler: RuntimeHandler, options: ExecOptions): Promise<ExecSession> {
  const { dir, processFile } = writeExecFiles(options.execDir, runtimeJson(options.process));
  const pidFile = join(dir, "pid");
  let program: StartedProgram;
  try {
    const args = [...execArgs(handler), "--detach", "--pid-file", pidFile, "--process", processFile, options.id];
    const stdio = [options.stdin ? "write" : "null", "read", "read"] as const;
    program = await startProgram(options.runtimePath ?? handler.path, args, {
      env: runtimeEnv(handler),
      stdio,
      newSession: true,
    });
  } catch (error) {
    await forget(dir);
    throw error;
  }
  const [stdin, stdout, stderr] = program.stdio;
  if (stdout === undefined || stderr === undefined) throw new Fault("failed", "the runtime has no pipes");
  let hasEnded = false;
  const exited = exitOf(program, pidFile).finally(() => {
    hasEnded = true;
  });
  exited.catch(() => {}); // for whoever waits for it
  const kill = async () => {
    if (!hasEnded) await killBoth(program, pidFile);
  };
  return {
    io: { is: "pipes", stdin, stdout, stderr },
    started: program.exited,
    exited,
    kill: () => void kill(),
    endAll: () => endSession(program, pidFile),
    async [Symbol.asyncDispose]() {
      await kill();
      for (const stream of [stdin, stdout, stderr]) stream?.destroy();
      await forget(dir);
    },
  };
}

/** How the process ended that the runtime has started; how the runtime did where it could not. */
async function exitOf(program: StartedProgram, pidFile: string): Promise<ExitStatus> {
  const status = await program.exited;
  if (status.is !== "exited" || status.code !== 0) return status;
  const pid = await execPid(pidFile);
  if (pid === undefined) throw new Fault("failed", "the runtime left no pid in its pid file");
  const waitsFor = { is: "process", pid, what: "the command in the container" } as const;
  return await inStep("running the command", () => adoptOrphan(pid), { waitsFor });
}

/** Kills the command, once it is known, and the runtime that starts it: the one does not take the other along. */
async function killBoth(program: StartedProgram, pidFile: string): Promise<void> {
  killExec(await startedPid(program, pidFile));
  program.kill(9);
}

async function endSession(program: StartedProgram, pidFile: string): Promise<void> {
  const pid = await startedPid(program, pidFile);
  program.kill(9);
  if (pid === undefined) return;
  await killExecSession(pid);
  using limit = deadline(endMs, "the end of a killed command");
  // A zombie is still seen by the container. Where it cannot be waited for, it is no child of ours, or not dead yet.
  await adoptOrphan(pid, { signal: limit }).catch(() => {});
}

/** The runtime hands over the terminal's master side and ends, so that resizing works with every runtime. */
async function startWithTerminal(handler: RuntimeHandler, options: ExecOptions, dir: string): Promise<ExecSession> {
  using socket = listenForConsole(join(dir, "console"));
  const pidFile = join(dir, "pid");
  const program = await startProgram(
    options.runtimePath ?? handler.path,
    [
      ...[...execArgs(handler), "--detach", "--pid-file", pidFile, "--console-socket", socket.path],
      ...["--process", join(dir, "process.json"), options.id],
    ],
    { env: runtimeEnv(handler), stdio: ["null", "null", "read"], newSession: true },
  );
  const failed = new AbortController();
  const words = lastWords(program.stdio[2]);
  const ended = program.exited.then(async (status) => {
    if (status.is === "exited" && status.code === 0) return;
    await delay(handOverMs); // the terminal may be on its way, with the reason on it
    failed.abort(new Fault("failed", `${handler.path} exec failed: ${await words}`));
  });
  const signal = options.signal === undefined ? failed.signal : AbortSignal.any([options.signal, failed.signal]);
  const master = await socket.receive({ timeoutMs: startTimeoutMs, signal }).catch(async (error: unknown) => {
    await killBoth(program, pidFile);
    throw error;
  });
  const terminal = terminalOf(master);
  try {
    using limit = deadline(startTimeoutMs, `${handler.path} exec`, options.signal);
    await untilAborted(ended, limit);
    if (failed.signal.aborted) throw await withScreen(failed.signal.reason, terminal);
    const pid = await execPid(pidFile);
    if (pid === undefined) throw new Fault("failed", `${handler.path} exec left no pid in its pid file`);
    let hasEnded = false;
    const exited = adoptOrphan(pid).finally(() => {
      hasEnded = true;
    });
    exited.catch(() => {}); // for whoever waits for it
    const kill = () => {
      if (!hasEnded) killExec(pid);
    };
    return {
      io: { is: "terminal", terminal },
      started: program.exited,
      exited,
      kill,
      endAll: () => endSession(program, pidFile),
      async [Symbol.asyncDispose]() {
        kill();
        terminal.close();
        await forget(dir);
      },
    };
  } catch (error) {
    await killBoth(program, pidFile);
    terminal.close();
    throw error;
  }
}

/** crun writes why a command does not run onto the terminal that it has made for it. */
async function withScreen(fault: unknown, terminal: Terminal): Promise<unknown> {
  const timer = setTimeout(() => terminal.close(), screenTimeoutMs);
  const screen = await lastWords(terminal.output);
  clearTimeout(timer);
  return screen === "" ? fault : new Fault("failed", `${reasonOf(fault)}${screen}`);
}

function execArgs(handler: RuntimeHandler): readonly string[] {
  return ["--root", handler.root, ...(handler.systemdCgroup ? ["--systemd-cgroup"] : []), "exec"];
}

async function lastWords(stream: AsyncIterable<Buffer> | undefined): Promise<string> {
  let text = "";
  try {
    for await (const chunk of stream ?? []) text = (text + String(chunk)).slice(-keptWords);
  } catch (error) {
    text += reasonOf(error);
  }
  return text.trim();
}

async function forget(dir: string): Promise<void> {
  await rm(dir, { recursive: true, force: true });
}
