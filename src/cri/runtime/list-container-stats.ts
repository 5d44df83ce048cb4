import { type ContainerFilter as Filter, listContainers } from "../../pods/index.ts";
import { containerStatsOf } from "../convert/stats.ts";
import type { CriDeps } from "../deps.ts";
import type { ContainerStatsFilter, ListContainerStatsRequest, ListContainerStatsResponse } from "../generated/api.ts";
import type { Unary } from "../service.ts";

/** ListContainerStats: of containers that have not ended (reference: cri.md 4.7, 4.8). */
export function listContainerStats({ pods }: CriDeps): Unary<ListContainerStatsRequest, ListContainerStatsResponse> {
  return async ({ filter }, call) => {
    const containers = listContainers(pods, containerStatsFilterOf(filter));
    return { stats: (await pods.stats.containers(containers, call.signal)).map(containerStatsOf) };
  };
}

export function containerStatsFilterOf(filter: ContainerStatsFilter | undefined): Filter {
  return { id: filter?.id ?? "", podId: filter?.podSandboxId ?? "", labels: filter?.labelSelector ?? {} };
}
