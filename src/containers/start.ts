import { Fault, reasonOf } from "../base/index.ts";
import { startInRuntime } from "../runtime/index.ts";
import { type Container, statusWord, writeState } from "../state/index.ts";
import type { ContainerDeps } from "./deps.ts";
import { releaseContainer } from "./release.ts";

/**
 * Starts the process of a created container. Rejects when it is not in the state created. When the runtime cannot start it,
 * the container is removed altogether (reference: cri.md 4.1): the kubelet creates another one.
 */
export async function startContainer(deps: ContainerDeps, container: Container): Promise<void> {
  const { record } = container;
  await deps.containerLocks.with(record.id, async () => {
    const now = deps.containers.get(record.id);
    if (now === undefined) throw new Fault("not-found", `specified container not found: ${record.id}`);
    if (now.state.is !== "created") {
      throw new Fault("precondition", `container ${record.id} is not in created state: ${statusWord(now.state)}`);
    }
    try {
      await startInRuntime(deps.handlers.get(record.runtimeHandler), record.id);
    } catch (error) {
      await releaseAfterFailure(deps, now);
      throw new Fault("failed", `failed to start container ${record.id}: ${reasonOf(error)}`, { cause: error });
    }
    const started = deps.containers.change(record.id, (before) => ({
      ...before,
      state: { is: "running", startedAtNs: deps.clock.nowNs(), paused: false },
    }));
    if (started !== undefined) await writeState(started);
    deps.events.publish({ type: "started", containerId: record.id, podId: record.podId, atNs: deps.clock.nowNs() });
  });
}

async function releaseAfterFailure(deps: ContainerDeps, container: Container): Promise<void> {
  try {
    await releaseContainer(deps, container);
  } catch (error) {
    deps.log.error("cleaning up after a failed start is not finished; removing the container tries again", {
      containerID: container.record.id,
      error: reasonOf(error),
    });
  }
}
