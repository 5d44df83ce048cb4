import { Fault, isFault } from "../../base/index.ts";
import { findPod, stopPod } from "../../pods/index.ts";
import { remainingMs } from "../call.ts";
import type { CriDeps } from "../deps.ts";
import type { StopPodSandboxRequest, StopPodSandboxResponse } from "../generated/api.ts";
import type { Unary } from "../service.ts";

const defaultTimeoutMs = 10_000;

/** StopPodSandbox: network, containers, infra container, namespaces; a pod that is unknown has been stopped (cri.md 2.9). */
export function stopPodSandbox({ pods }: CriDeps): Unary<StopPodSandboxRequest, StopPodSandboxResponse> {
  return async ({ podSandboxId }, call) => {
    call.log.info(`Stopping pod sandbox: ${podSandboxId}`);
    let pod: ReturnType<typeof findPod>;
    try {
      pod = findPod(pods, podSandboxId);
    } catch (error) {
      if (isFault(error, "not-found")) {
        call.log.warn(`Could not get sandbox ${podSandboxId}, it's probably been stopped already`);
        return {};
      }
      if (isFault(error, "precondition")) {
        throw new Fault("failed", `StopPodSandbox failed as the sandbox is not created: ${podSandboxId}`, {
          cause: error,
        });
      }
      throw error;
    }
    const wasStopped = pod.stopped;
    const timeoutMs = Math.floor(remainingMs(call, defaultTimeoutMs) / 1000) * 1000;
    await stopPod(pods, pod, { timeoutMs, signal: call.signal });
    call.log.info(`Stopped pod sandbox${wasStopped ? " (already stopped)" : ""}: ${pod.record.id}`);
    return {};
  };
}
