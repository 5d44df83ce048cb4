import { reasonOf } from "../base/index.ts";
import { isSameProcess } from "../host/index.ts";
import { type ExitRecord, forgetExit, killAllInRuntime, readExit, wasOomKilled } from "../runtime/index.ts";
import { type Container, type ContainerState, isLive, writeState } from "../state/index.ts";
import type { ContainerDeps } from "./deps.ts";

type ExitDeps = Pick<
  ContainerDeps,
  "containers" | "containerLocks" | "events" | "store" | "handlers" | "options" | "clock" | "log"
>;

/** How long a living monitor may take from the end of the process to the exit file. */
const exitFilePatienceMs = 30_000;
const pollMs = 10;

/**
 * Notes that a container has ended: reads how from what its monitor left, writes state.json, unmounts its root file system and
 * tells the subscribers. Idempotent; does nothing while the process lives.
 */
export async function noteExit(deps: ExitDeps, id: string): Promise<void> {
  await deps.containerLocks.with(id, async () => {
    const container = deps.containers.get(id);
    if (container === undefined) {
      await forgetExit(deps.options.exitsDir, id);
      return;
    }
    // What nobody saw may still be told: a monitor can be slow to write.
    if (!isLive(container) && container.state.is !== "unknown") {
      await forgetExit(deps.options.exitsDir, id);
      return;
    }
    const state = await endOf(container, deps.clock.nowNs());
    if (state === undefined || state.is === container.state.is) return;
    await killStragglers(deps, container);
    const ended = deps.containers.change(id, (before) => ({ ...before, state }));
    if (ended !== undefined) await writeState(ended);
    await forgetExit(deps.options.exitsDir, id);
    await unmountQuietly(deps, id);
    deps.log.info("container ended", exitFields(container, state));
    deps.events.publish({ type: "stopped", containerId: id, podId: container.record.podId, atNs: deps.clock.nowNs() });
  });
}

/**
 * How a container ended, read from what its monitor left; undefined while its process lives, and while the monitor does and has not
 * said it yet. With the monitor dead and no exit file, nobody knows: no exit code is made up.
 */
export async function endOf(container: Container, _nowNs: bigint): Promise<ContainerState | undefined> {
  const { record, init, monitor, state } = container;
  const startedAtNs = state.is === "created" ? 0n : state.startedAtNs;
  const alive = () => init !== undefined && isSameProcess(init.pid, init.startTime);
  const until = performance.now() + exitFilePatienceMs;
  for (;;) {
    const monitored = monitor !== undefined && (await isSameProcess(monitor.pid, monitor.startTime));
    const lives = await alive();
    // In this order: a monitor that has just ended wrote its file before.
    const exit = await readExit(record.dir);
    if (exit !== undefined && !lives) return exitedState(exit, startedAtNs, await wasOomKilled(record.runDir));
    if (lives) return undefined;
    if (!monitored) {
      const why = "its process and its monitor (conmon) are gone, and nobody saw how it ended";
      return { is: "unknown", startedAtNs, why };
    }
    if (performance.now() > until) return undefined;
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

function exitedState(exit: ExitRecord, startedAtNs: bigint, oomKilled: boolean): ContainerState {
  return { is: "exited", startedAtNs, finishedAtNs: exit.finishedAtNs, exitCode: exit.code, oomKilled, error: "" };
}

/** Without a PID namespace of its own, a container's other processes outlive its first one. */
async function killStragglers(deps: ExitDeps, container: Container): Promise<void> {
  const hasPidNamespace = container.spec.linux?.namespaces?.some(({ type }) => type === "pid") ?? false;
  if (hasPidNamespace) return;
  try {
    await killAllInRuntime(deps.handlers.get(container.record.runtimeHandler), container.record.id);
  } catch (error) {
    deps.log.warn("killing what an ended container left running failed", {
      containerID: container.record.id,
      error: reasonOf(error),
    });
  }
}

async function unmountQuietly(deps: ExitDeps, id: string): Promise<void> {
  try {
    await deps.store.unmountContainer(id);
  } catch (error) {
    deps.log.error("unmounting the root file system of an ended container failed; its removal tries again", {
      containerID: id,
      error: reasonOf(error),
    });
  }
}

function exitFields(container: Container, state: ContainerState) {
  return state.is === "exited"
    ? { containerID: container.record.id, exitCode: state.exitCode, oomKilled: state.oomKilled }
    : { containerID: container.record.id, state: state.is, why: state.is === "unknown" ? state.why : undefined };
}
