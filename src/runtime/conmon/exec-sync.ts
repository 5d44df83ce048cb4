import { open, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { deadline, Fault, isFault, untilAborted } from "../../base/index.ts";
import { adoptOrphan, type StartedProgram, startProgram } from "../../host/index.ts";
import { type Process, runtimeJson } from "../../oci/index.ts";
import { makeExecDirectory } from "../exec-directory.ts";
import { type RuntimeHandler, runtimeEnv } from "../handler.ts";
import { execPid, killExecSession, startedPid } from "../kill-exec.ts";
import { readJsonLine } from "./json-line.ts";
import { splitLog } from "./log-lines.ts";

/** Most that an ExecSync gives back of what the command wrote, both streams together, in the log's format. */
export const execOutputLimitBytes = 16 << 20;

/** How long after the command's own deadline conmon may still take to say so. */
const graceMs = 10_000;

/** How long a command that was killed may take to end, before it is left to whoever reaps orphans. */
const endMs = 2_000;

export interface ExecSyncOptions {
  readonly id: string;
  readonly name: string;
  /** The container's process with `args` replaced. */
  readonly process: Process;
  /** 0n: no timeout. */
  readonly timeoutSeconds: bigint;
  readonly attachDir: string;
  readonly logLevel: string;
  readonly runtimePath?: string;
  /** Called with the pid of the exec's monitor, so that a container's end takes it along. */
  readonly onMonitor?: (pid: number) => void;
}

export interface ExecSyncResult {
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/**
 * Runs a command in a container to its end, through conmon. A command that outlives its timeout is killed and answers
 * exit code -1 with `command timed out` on stderr. What it wrote beyond 16 MiB is dropped while it is written, not afterwards.
 */
export async function execSync(
  handler: RuntimeHandler,
  options: ExecSyncOptions,
  signal?: AbortSignal,
): Promise<ExecSyncResult> {
  if (options.timeoutSeconds < 0n) throw new Fault("invalid", "timeout cannot be negative");
  const dir = await makeExecDirectory();
  try {
    return await execIn(dir, handler, options, signal);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function execIn(
  dir: string,
  handler: RuntimeHandler,
  options: ExecSyncOptions,
  signal: AbortSignal | undefined,
): Promise<ExecSyncResult> {
  const logPath = join(dir, "log");
  const specPath = join(dir, "process.json");
  const pidPath = join(dir, "pidfile");
  await writeFile(specPath, runtimeJson(options.process), { mode: 0o600 });
  await (await open(logPath, "w", 0o600)).close();
  const conmon = startProgram(handler.monitor.path, execArgs(handler, options, { logPath, specPath, pidPath }), {
    env: { ...runtimeEnv(handler), _OCI_SYNCPIPE: "3", _OCI_STARTPIPE: "4" },
    stdio: ["null", "null", "null", "read", "socket"],
    newProcessGroup: true,
  });
  options.onMonitor?.(conmon.pid);
  const [, , , sync, start] = conmon.stdio;
  if (sync === undefined || start === undefined) throw new Fault("failed", "conmon has no pipes");
  start.on("error", () => {});
  start.end(Buffer.from([0]));
  try {
    const message = await resultOf(sync, options, signal);
    if (isTimeout(message)) {
      const pid = await execPid(pidPath); // conmon has killed its process group alone
      await killExecSession(pid);
      await reapKilled(conmon, pid);
    }
    return await answerFrom(message, logPath);
  } catch (error) {
    const pid = await startedPid(conmon, pidPath);
    conmon.kill(9);
    await killExecSession(pid);
    await reapKilled(conmon, pid);
    if (isFault(error, "deadline")) return timedOut;
    throw error;
  } finally {
    start.destroy();
    sync.destroy();
  }
}

const timedOut: ExecSyncResult = { exitCode: -1, stdout: Buffer.alloc(0), stderr: Buffer.from("command timed out") };

function execArgs(
  handler: RuntimeHandler,
  options: ExecSyncOptions,
  files: { readonly logPath: string; readonly specPath: string; readonly pidPath: string },
): readonly string[] {
  return [
    ...["-c", options.id, "-n", options.name, "-r", options.runtimePath ?? handler.path, "-p", files.pidPath, "-e"],
    ...["-l", files.logPath, "--socket-dir-path", options.attachDir, "--log-level", options.logLevel, "--sync"],
    ...["--log-global-size-max", String(execOutputLimitBytes)],
    ...(options.process.terminal === true ? ["-t"] : []),
    ...(options.timeoutSeconds > 0n ? ["-T", String(options.timeoutSeconds)] : []),
    ...(handler.systemdCgroup ? ["-s"] : []),
    ...["--exec-process-spec", files.specPath, "--runtime-arg", `--root=${handler.root}`],
  ];
}

async function resultOf(sync: import("node:net").Socket, options: ExecSyncOptions, signal: AbortSignal | undefined) {
  if (options.timeoutSeconds === 0n) return readJsonLine(sync, signal ?? new AbortController().signal);
  const limitMs = Math.min(Number(options.timeoutSeconds) * 1000 + graceMs, 2 ** 31 - 1);
  using limit = deadline(limitMs, `exec in container ${options.id}`, signal);
  return await readJsonLine(sync, limit);
}

async function answerFrom(message: Record<string, unknown>, logPath: string): Promise<ExecSyncResult> {
  const exitCode = message.exit_code;
  const words = typeof message.message === "string" ? message.message : "";
  const { stdout, stderr } = splitLog(await readFirst(logPath, execOutputLimitBytes));
  if (typeof exitCode === "number" && exitCode >= 0) return { exitCode, stdout, stderr };
  if (isTimeout(message)) return { ...timedOut, stdout };
  throw new Fault("failed", `command error: ${words}, stdout: ${stdout}, stderr: ${stderr}, exit code -1`);
}

/** Whether conmon has killed the command for its time being over. */
function isTimeout(message: Record<string, unknown>): boolean {
  return message.message === "command timed out";
}

async function readFirst(path: string, bytes: number): Promise<Buffer> {
  await using file = await open(path, "r");
  const size = Math.min((await file.stat()).size, bytes);
  const buffer = Buffer.alloc(size);
  const { bytesRead } = await file.read(buffer, 0, size, 0);
  return buffer.subarray(0, bytesRead);
}

/**
 * Waits until a killed command is gone from the container. conmon may end without having waited for it: then it is our child,
 * and a zombie that the container sees until we do.
 */
async function reapKilled(conmon: StartedProgram, pid: number | undefined): Promise<void> {
  if (pid === undefined) return;
  using limit = deadline(endMs, "the end of a killed command");
  await untilAborted(conmon.exited, limit).catch(() => {});
  await adoptOrphan(pid, { signal: limit }).catch(() => {}); // conmon has waited for it after all: no child of ours
}
