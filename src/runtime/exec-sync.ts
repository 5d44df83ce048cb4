import { deadline, Fault, isFault, untilAborted } from "../base/index.ts";
import type { ExitStatus } from "../host/index.ts";
import { ExecOutput } from "./exec-output.ts";
import type { ExecSession } from "./oci/exec.ts";

/** Most that an ExecSync gives back of what the command wrote, both streams together. */
export const execOutputLimitBytes = 16 << 20;
const longestTimeoutMs = 2 ** 31 - 1;

export interface ExecSyncResult {
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/**
 * Runs the command that `start` starts to its end. `timeoutSeconds` 0n: no timeout. A command that outlives its timeout is killed with
 * its whole session and answers exit code -1 with `command timed out` on stderr; so does one that cannot be started in that time. What
 * it wrote beyond 16 MiB is dropped while it is written. A child that it leaves behind is not waited for. Rejects with the runtime's
 * words when it does not start.
 */
export async function execSync(
  start: (signal: AbortSignal) => Promise<ExecSession>,
  { timeoutSeconds, signal }: { readonly timeoutSeconds: bigint; readonly signal?: AbortSignal },
): Promise<ExecSyncResult> {
  if (timeoutSeconds < 0n) throw new Fault("invalid", "timeout cannot be negative");
  const timeoutMs =
    timeoutSeconds === 0n ? longestTimeoutMs : Math.min(Number(timeoutSeconds) * 1000, longestTimeoutMs);
  using limit = deadline(timeoutMs, "command", signal);
  const output = new ExecOutput(execOutputLimitBytes);
  try {
    await using session = await start(limit);
    return await toItsEnd(session, output, limit);
  } catch (error) {
    if (!isTimeout(error, limit, signal)) throw error;
    return { exitCode: -1, stdout: output.stdout, stderr: Buffer.from("command timed out") };
  }
}

async function toItsEnd(session: ExecSession, output: ExecOutput, limit: AbortSignal): Promise<ExecSyncResult> {
  const { io } = session;
  if (io.is === "terminal") output.read("stdout", io.terminal.output);
  else {
    output.read("stdout", io.stdout);
    output.read("stderr", io.stderr);
  }
  try {
    const runtime = await untilAborted(session.started, limit);
    const status = await untilAborted(session.exited, limit);
    await output.settled();
    if (runtime.is !== "exited" || runtime.code !== 0) {
      throw new Fault("failed", `command error: ${output.stderr.toString().trim()}, stdout: , stderr: , exit code -1`);
    }
    return { exitCode: exitCodeOf(status), stdout: output.stdout, stderr: output.stderr };
  } catch (error) {
    if (limit.aborted) await session.endAll();
    throw error;
  }
}

/** Whether the command's own time is over, rather than its caller gone or something failed. */
function isTimeout(error: unknown, limit: AbortSignal, caller: AbortSignal | undefined): boolean {
  return limit.aborted && caller?.aborted !== true && isFault(error, "deadline");
}

/** As a shell tells it. */
export function exitCodeOf(status: ExitStatus): number {
  return status.is === "exited" ? status.code : 128 + status.signal;
}
