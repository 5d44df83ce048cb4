import { podInfo } from "../../pods/index.ts";
import { jsonText } from "../convert/json-text.ts";
import { containerStatusOf, podStatusOf } from "../convert/response.ts";
import type { CriDeps } from "../deps.ts";
import { type PodSandboxStatusRequest, PodSandboxStatusResponse } from "../generated/api.ts";
import { requestedPod } from "../look-up.ts";
import type { Unary } from "../service.ts";

/** PodSandboxStatus (reference: cri.md 2.11). */
export function podSandboxStatus({ pods }: CriDeps): Unary<PodSandboxStatusRequest, PodSandboxStatusResponse> {
  return async ({ podSandboxId, verbose }) => {
    const pod = requestedPod(pods, podSandboxId);
    const withContainers = pods.podOptions.podEvents;
    return PodSandboxStatusResponse.fromPartial({
      status: podStatusOf({ pod }),
      info: verbose ? { info: jsonText(podInfo(pod, pods.podOptions.pauseImage())) } : {},
      containersStatuses: withContainers
        ? pods.containers
            .ofPod(pod.record.id)
            .map((container) => containerStatusOf({ container, imageName: container.record.image.name }))
        : [],
      timestamp: withContainers ? pods.clock.nowNs() : 0n,
    });
  };
}
