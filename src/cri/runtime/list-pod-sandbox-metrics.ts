import { listPods } from "../../pods/index.ts";
import { podMetricsOf } from "../convert/stats.ts";
import type { CriDeps } from "../deps.ts";
import type { ListPodSandboxMetricsRequest, ListPodSandboxMetricsResponse } from "../generated/api.ts";
import type { Unary } from "../service.ts";

/** ListPodSandboxMetrics: one entry for each pod (reference: cri.md 8). */
export function listPodSandboxMetrics({
  pods,
}: CriDeps): Unary<ListPodSandboxMetricsRequest, ListPodSandboxMetricsResponse> {
  return async (_request, call) => ({
    podMetrics: (await pods.stats.metrics(listPods(pods, { id: "", labels: {} }), call.signal)).map(podMetricsOf),
  });
}
