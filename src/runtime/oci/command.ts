import { Fault } from "../../base/index.ts";
import { type ProgramResult, runProgram } from "../../host/index.ts";
import { type RuntimeHandler, runtimeEnv } from "../handler.ts";

export interface RuntimeCommandOptions {
  readonly timeoutMs: number;
  readonly input?: string;
  readonly signal?: AbortSignal;
}

/** Words in a runtime's complaint that mean: the container or its process is no more. */
const gone = /no such process|container not running|invalid process|does not exist|process already finished/i;

/**
 * Runs `<runtime> --root R [--systemd-cgroup] <args>`. Rejects with the runtime's own words: code `not-found` when they
 * say that the container or its process is gone, `failed` otherwise; `deadline` when it did not end in time.
 */
export async function runRuntime(
  handler: RuntimeHandler,
  args: readonly string[],
  options: RuntimeCommandOptions,
): Promise<ProgramResult> {
  const all = ["--root", handler.root, ...(handler.systemdCgroup ? ["--systemd-cgroup"] : []), ...args];
  const result = await runProgram(handler.path, all, {
    ...options,
    env: runtimeEnv(handler),
    cpus: handler.programCpus,
  });
  if (result.exit.is === "exited" && result.exit.code === 0) return result;
  const words = `${result.stderr.toString()} ${result.stdout.toString()}`.trim();
  const how =
    result.exit.is === "exited" ? `exit status ${result.exit.code}` : `killed by signal ${result.exit.signal}`;
  throw new Fault(
    gone.test(words) ? "not-found" : "failed",
    `\`${handler.path} ${all.join(" ")}\` failed: ${words}: ${how}`,
  );
}
