import { findPod } from "../../pods/index.ts";
import type { CriDeps } from "../deps.ts";
import type { UpdatePodSandboxResourcesRequest, UpdatePodSandboxResourcesResponse } from "../generated/api.ts";
import type { Unary } from "../service.ts";
import { orNotFound } from "../status.ts";

/**
 * UpdatePodSandboxResources: the kubelet tells what the pod's limits have become. The pod's cgroup is the kubelet's own, so nothing
 * is written (reference: cri.md 2.13).
 */
export function updatePodSandboxResourcesRpc({
  pods,
}: CriDeps): Unary<UpdatePodSandboxResourcesRequest, UpdatePodSandboxResourcesResponse> {
  return async ({ podSandboxId }) => {
    await orNotFound(`could not find pod "${podSandboxId}": `, () => findPod(pods, podSandboxId));
    return {};
  };
}
