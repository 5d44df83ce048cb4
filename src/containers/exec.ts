import { Fault } from "../base/index.ts";
import { type ExecSession, startExec } from "../runtime/index.ts";
import { type Container, isLive } from "../state/index.ts";
import type { ContainerDeps } from "./deps.ts";

export interface ExecCommand {
  readonly args: readonly string[];
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly signal?: AbortSignal;
}

/** Starts a command in a container for somebody who holds its streams. The caller disposes of the session, which ends the command. */
export async function execInContainer(
  deps: ContainerDeps,
  container: Container,
  command: ExecCommand,
): Promise<ExecSession> {
  const { record, spec } = container;
  requireCommand(command.args);
  requireLive(deps, container);
  if (spec.process === undefined)
    throw new Fault("corrupt", `container ${record.id} has no process in its config.json`);
  return await startExec(deps.handlers.get(record.runtimeHandler), {
    id: record.id,
    process: { ...spec.process, args: command.args, terminal: command.tty },
    stdin: command.stdin,
    execDir: deps.options.execDir,
    ...(record.runtimePath === "" ? {} : { runtimePath: record.runtimePath }),
    ...(command.signal === undefined ? {} : { signal: command.signal }),
  });
}

/** Rejects an empty command, and one that would be another by the time it is C's: NUL ends a string there. */
export function requireCommand(args: readonly string[]): void {
  if (args.length === 0) throw new Fault("invalid", "exec command cannot be empty");
  if (args.some((arg) => arg.includes("\0")))
    throw new Fault("invalid", "an argument of the exec command holds a NUL character");
}

/** Rejects unless the container has a process, and is not being killed. */
export function requireLive(deps: Pick<ContainerDeps, "stopping">, container: Container): void {
  const { id } = container.record;
  if (!isLive(container)) {
    throw new Fault("not-found", `container is not created or running: ${id} is ${container.state.is}`);
  }
  if (deps.stopping.isStopping(id)) {
    throw new Fault("precondition", "cannot start exec: container is being killed");
  }
}
