import type { CriDeps } from "../deps.ts";
import type { UpdatePodSandboxResourcesRequest, UpdatePodSandboxResourcesResponse } from "../generated/api.ts";
import { requestedPod } from "../look-up.ts";
import type { Unary } from "../service.ts";

/**
 * UpdatePodSandboxResources: the kubelet tells what the pod's limits have become. The pod's cgroup is the kubelet's own, so nothing
 * is written (reference: cri.md 2.13).
 */
export function updatePodSandboxResourcesRpc({
  pods,
}: CriDeps): Unary<UpdatePodSandboxResourcesRequest, UpdatePodSandboxResourcesResponse> {
  return async ({ podSandboxId }) => {
    requestedPod(pods, podSandboxId);
    return {};
  };
}
