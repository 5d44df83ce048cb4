import { listPods } from "../../pods/index.ts";
import { chunksOf } from "../chunks.ts";
import { podMetricsOf } from "../convert/stats.ts";
import type { CriDeps } from "../deps.ts";
import type { StreamPodSandboxMetricsRequest, StreamPodSandboxMetricsResponse } from "../generated/api.ts";
import type { Streaming } from "../service.ts";

/** StreamPodSandboxMetrics: what ListPodSandboxMetrics tells, a part at a time. */
export function streamPodSandboxMetrics({
  pods,
}: CriDeps): Streaming<StreamPodSandboxMetricsRequest, StreamPodSandboxMetricsResponse> {
  return async function* (_request, call) {
    for (const chunk of chunksOf(listPods(pods, { id: "", labels: {} }))) {
      yield { podSandboxMetrics: (await pods.stats.metrics(chunk, call.signal)).map(podMetricsOf) };
    }
  };
}
