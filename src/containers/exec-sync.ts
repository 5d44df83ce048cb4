import { type ExecSyncResult, execSync } from "../runtime/index.ts";
import type { Container } from "../state/index.ts";
import type { ContainerDeps } from "./deps.ts";
import { execInContainer } from "./exec.ts";

/**
 * Runs a command in a container to its end. `timeoutSeconds` 0n: no timeout. Rejects when the container has no process, or the
 * command cannot be started; a command that times out resolves with exit code -1.
 */
export async function execSyncInContainer(
  deps: ContainerDeps,
  container: Container,
  command: { readonly args: readonly string[]; readonly timeoutSeconds: bigint; readonly signal?: AbortSignal },
): Promise<ExecSyncResult> {
  const { args, timeoutSeconds, signal } = command;
  const { tty } = container.record;
  return await execSync((until) => execInContainer(deps, container, { args, tty, stdin: false, signal: until }), {
    timeoutSeconds,
    ...(signal === undefined ? {} : { signal }),
  });
}
