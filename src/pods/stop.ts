import { type Logger, reasonOf, untilAborted, withStep } from "../base/index.ts";
import { endOf, patienceWithin, stopContainer } from "../containers/index.ts";
import { forgetExit } from "../runtime/index.ts";
import { isLive, type Pod, writeMarker, writeState } from "../state/index.ts";
import type { PodDeps } from "./deps.ts";
import { releaseShm } from "./files.ts";
import { releaseNamespaces, releaseNetwork } from "./release.ts";

/**
 * Stops a pod: its network, its containers in parallel, the infra container, its namespaces; then it is NOTREADY. Resolves when
 * all of that is done, or was before. Rejects with what could not be done; the next call goes on from there. `timeoutMs` is the
 * patience for all of it: the containers get one second less.
 */
export async function stopPod(
  deps: PodDeps,
  pod: Pod,
  options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
): Promise<void> {
  const { id } = pod.record;
  const stopping = deps.podStops.join(id, () =>
    deps.podLocks.with(id, () => stopUnderLock(deps, id, options.timeoutMs)),
  );
  await untilAborted(stopping, options.signal);
}

async function stopUnderLock(deps: PodDeps, id: string, timeoutMs: number): Promise<void> {
  const pod = deps.pods.get(id);
  if (pod === undefined) return;
  const { record } = pod;
  if (!pod.stopped) await writeMarker(record.dir, "stopping");
  const networkTrouble = await troubleOf(() => releaseNetwork(deps, record));
  await stopContainersOf(deps, id, timeoutMs);
  await stopInfra(deps, pod, timeoutMs);
  await releaseNamespaces(record);
  releaseShm(record.runDir);
  await markStopped(deps, id);
  if (networkTrouble !== undefined) throw networkTrouble;
}

/** A plugin that fails must not keep a pod running: the rest is stopped first, and the kubelet told then. */
async function troubleOf(work: () => Promise<void>): Promise<unknown> {
  try {
    await work();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** Stops every container of a pod, in parallel. Rejects when one does not stop. */
export async function stopContainersOf(deps: PodDeps, podId: string, timeoutMs: number): Promise<void> {
  const patienceMs = patienceWithin(timeoutMs);
  const results = await Promise.allSettled(
    deps.containers.ofPod(podId).map((container) => stopContainer(deps, container, { timeoutMs: patienceMs })),
  );
  const failed = results.find((result) => result.status === "rejected");
  if (failed !== undefined) throw withStep("stop containers in parallel", failed.reason);
}

/** The infra process has nothing to put in order: it is killed soon, however much time the caller has. */
const infraPatienceMs = 2_000;

async function stopInfra(deps: PodDeps, pod: Pod, timeoutMs: number): Promise<void> {
  const { infra, record } = pod;
  if (infra.init === undefined || !isLive(infra)) return;
  const handler = deps.handlers.get(record.runtimeHandler);
  const patienceMs = Math.min(timeoutMs, infraPatienceMs);
  try {
    await deps.stopping.stop({ id: record.id, handler, init: infra.init, stopSignal: 15 }, patienceMs);
    await noteInfraExit(deps, record.id);
  } catch (error) {
    throw withStep(`failed to stop infra container for pod sandbox ${record.id}`, error);
  }
}

/** Notes that a pod is stopped, on disk and in memory, and tells the subscribers, once. */
export async function markStopped(deps: PodDeps, id: string): Promise<void> {
  const before = deps.pods.get(id);
  if (before === undefined || before.stopped) return;
  const nowNs = deps.clock.nowNs();
  const startedAtNs = before.infra.state.is === "created" ? 0n : before.infra.state.startedAtNs;
  const pod = deps.pods.change(id, (now) => ({
    ...now,
    stopped: true,
    infra: {
      ...now.infra,
      state: isLive(now.infra)
        ? { is: "exited", startedAtNs, finishedAtNs: nowNs, exitCode: 0, oomKilled: false, error: "" }
        : now.infra.state,
    },
  }));
  await writeMarker(pod.record.dir, "stopped");
  await writeStateQuietly(deps.log, pod);
  deps.events.publish({ type: "stopped", containerId: id, podId: id, atNs: nowNs });
}

async function writeStateQuietly(log: Logger, pod: Pod): Promise<void> {
  try {
    await writeState(pod.infra);
  } catch (error) {
    // The marker says the same to a restart; the pod may be half removed.
    log.warn("writing the state of a stopped pod failed", { pod: pod.record.id, error: reasonOf(error) });
  }
}

/** Notes that a pod's infra container has ended: the pod is NOTREADY from then on, whatever its containers do. Idempotent. */
export async function noteInfraExit(deps: PodDeps, id: string): Promise<void> {
  const pod = deps.pods.get(id);
  if (pod === undefined || !pod.record.hasInfraProcess || !isLive(pod.infra)) {
    await forgetExit(deps.options.exitsDir, id);
    return;
  }
  const state = await endOf(pod.infra, deps.clock.nowNs());
  if (state === undefined) return;
  deps.pods.change(id, (now) => ({ ...now, infra: { ...now.infra, state } }));
  await forgetExit(deps.options.exitsDir, id);
  await markStopped(deps, id);
  await deps.store.unmountContainer(id);
}
