import type { CriDeps } from "../deps.ts";
import type { ListMetricDescriptorsRequest, ListMetricDescriptorsResponse } from "../generated/api.ts";
import type { Unary } from "../service.ts";

/** ListMetricDescriptors: the metrics of `included_pod_metrics` (reference: cri.md 8). */
export function listMetricDescriptors({
  pods,
}: CriDeps): Unary<ListMetricDescriptorsRequest, ListMetricDescriptorsResponse> {
  return async () => ({
    descriptors: pods.stats
      .metricDescriptors()
      .map(({ name, help, labelKeys }) => ({ name, help, labelKeys: [...labelKeys] })),
  });
}
