import { Fault, type Places } from "../base/index.ts";
import { type ExecSession, startExec } from "../runtime/index.ts";
import { type Container, isLive } from "../state/index.ts";
import type { ContainerDeps } from "./deps.ts";

/** One that takes longer to start is not using the processor, but waits for something. */
const longestTurnMs = 200;

export interface ExecCommand {
  readonly args: readonly string[];
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly signal?: AbortSignal;
}

/**
 * Starts a command in a container for somebody who holds its streams. Starting one keeps a processor busy for some 20 ms: of hundreds
 * that come at once only so many start together (`execStarts`). The others would not start earlier, and everything else on the node
 * would wait behind them. The caller disposes of the session, which ends the command.
 */
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
  const options = {
    id: record.id,
    process: { ...spec.process, args: command.args, terminal: command.tty },
    stdin: command.stdin,
    execDir: deps.options.execDir,
    ...(record.runtimePath === "" ? {} : { runtimePath: record.runtimePath }),
    ...(command.signal === undefined ? {} : { signal: command.signal }),
  };
  return await inTurn(deps.execStarts, command.signal, () =>
    startExec(deps.handlers.get(record.runtimeHandler), options),
  );
}

/** Starts a command when it is its turn, which is over when it has started. */
async function inTurn(
  starts: Places,
  signal: AbortSignal | undefined,
  start: () => Promise<ExecSession>,
): Promise<ExecSession> {
  const giveBack = await starts.take(signal);
  const timer = setTimeout(giveBack, longestTurnMs);
  const over = () => {
    clearTimeout(timer);
    giveBack();
  };
  try {
    const session = await start();
    session.started.then(over, over);
    return session;
  } catch (error) {
    over();
    throw error;
  }
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
