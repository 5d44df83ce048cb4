import { Fault } from "../base/index.ts";
import { pauseInRuntime, resumeInRuntime } from "../runtime/index.ts";
import { type Container, type ContainerState, statusWord, writeState } from "../state/index.ts";
import type { ContainerDeps } from "./deps.ts";

/** Freezes a container. Rejects with code `precondition` when it does not run and is not created, or is frozen already. */
export async function pauseContainer(deps: ContainerDeps, container: Container): Promise<void> {
  await underLock(deps, container, async (now) => {
    const { state } = now;
    if (state.is !== "created" && (state.is !== "running" || state.paused)) {
      throw refused(container, `is not in running or created state, now is ${statusWord(state)}`);
    }
    await pauseInRuntime(deps.handlers.get(now.record.runtimeHandler), now.record.id);
    await note(deps, now.record.id, true);
  });
}

/** Lets a frozen container go on. Rejects with code `precondition` when it is not frozen. */
export async function unpauseContainer(deps: ContainerDeps, container: Container): Promise<void> {
  await underLock(deps, container, async (now) => {
    const { state } = now;
    if (state.is !== "running" || !state.paused) {
      throw refused(container, `is not in paused state, now is ${statusWord(state)}`);
    }
    await resumeInRuntime(deps.handlers.get(now.record.runtimeHandler), now.record.id);
    await note(deps, now.record.id, false);
  });
}

async function underLock(deps: ContainerDeps, { record }: Container, work: (now: Container) => Promise<void>) {
  await deps.containerLocks.with(record.id, async () => {
    const now = deps.containers.get(record.id);
    if (now === undefined) throw new Fault("not-found", `specified container not found: ${record.id}`);
    await work(now);
  });
}

/** A created container that is frozen has not started: its state stays. */
async function note(deps: ContainerDeps, id: string, paused: boolean): Promise<void> {
  const noted = deps.containers.change(id, (before) => ({ ...before, state: pausedState(before.state, paused) }));
  if (noted !== undefined) await writeState(noted);
}

function pausedState(state: ContainerState, paused: boolean): ContainerState {
  return state.is === "running" ? { ...state, paused } : state;
}

function refused({ record }: Container, why: string): Fault {
  return new Fault("precondition", `container ${record.id} ${why}`);
}
