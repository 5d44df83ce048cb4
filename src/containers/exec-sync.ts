import { Fault } from "../base/index.ts";
import { type ExecSyncResult, execSync } from "../runtime/index.ts";
import type { Container } from "../state/index.ts";
import type { ContainerDeps } from "./deps.ts";
import { requireCommand, requireLive } from "./exec.ts";

/**
 * Runs a command in a container to its end. `timeoutSeconds` 0n: no timeout. Rejects when the container has no process, or the
 * command cannot be started; a command that times out resolves with exit code -1.
 */
export async function execSyncInContainer(
  deps: ContainerDeps,
  container: Container,
  command: { readonly args: readonly string[]; readonly timeoutSeconds: bigint; readonly signal?: AbortSignal },
): Promise<ExecSyncResult> {
  const { record, spec } = container;
  requireLive(deps, container);
  requireCommand(command.args);
  if (spec.process === undefined)
    throw new Fault("corrupt", `container ${record.id} has no process in its config.json`);
  return await execSync(
    deps.handlers.get(record.runtimeHandler),
    {
      id: record.id,
      name: record.name,
      process: { ...spec.process, args: command.args, terminal: record.tty },
      timeoutSeconds: command.timeoutSeconds,
      attachDir: deps.options.attachDir,
      logLevel: deps.options.logLevel(),
      ...(record.runtimePath === "" ? {} : { runtimePath: record.runtimePath }),
    },
    command.signal,
  );
}
