import { listPods, type PodFilter } from "../../pods/index.ts";
import { podStatsOf } from "../convert/stats.ts";
import type { CriDeps } from "../deps.ts";
import type {
  ListPodSandboxStatsRequest,
  ListPodSandboxStatsResponse,
  PodSandboxStatsFilter,
} from "../generated/api.ts";
import type { Unary } from "../service.ts";

/** ListPodSandboxStats (reference: cri.md 4.7, 4.8). */
export function listPodSandboxStats({ pods }: CriDeps): Unary<ListPodSandboxStatsRequest, ListPodSandboxStatsResponse> {
  return async ({ filter }, call) => ({
    stats: (await pods.stats.pods(listPods(pods, podStatsFilterOf(filter)), call.signal)).map(podStatsOf),
  });
}

export function podStatsFilterOf(filter: PodSandboxStatsFilter | undefined): PodFilter {
  return { id: filter?.id ?? "", labels: filter?.labelSelector ?? {} };
}
