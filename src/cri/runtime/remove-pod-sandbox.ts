import { Fault, isFault } from "../../base/index.ts";
import { findPod, removePod } from "../../pods/index.ts";
import { remainingMs } from "../call.ts";
import type { CriDeps } from "../deps.ts";
import type { RemovePodSandboxRequest, RemovePodSandboxResponse } from "../generated/api.ts";
import type { Unary } from "../service.ts";

const defaultTimeoutMs = 10_000;

/** RemovePodSandbox: the pod with its containers; one that is unknown has been removed (reference: cri.md 2.10). */
export function removePodSandbox({ pods }: CriDeps): Unary<RemovePodSandboxRequest, RemovePodSandboxResponse> {
  return async ({ podSandboxId }, call) => {
    call.log.info(`Removing pod sandbox: ${podSandboxId}`);
    let pod: ReturnType<typeof findPod>;
    try {
      pod = findPod(pods, podSandboxId);
    } catch (error) {
      if (isFault(error, "not-found")) return {};
      if (isFault(error, "precondition")) {
        throw new Fault("failed", `sandbox ${podSandboxId} is not yet created`, { cause: error });
      }
      throw error;
    }
    await removePod(pods, pod, { timeoutMs: remainingMs(call, defaultTimeoutMs), signal: call.signal });
    call.log.info(`Removed pod sandbox: ${pod.record.id}`);
    return {};
  };
}
