import { findContainer } from "../../containers/index.ts";
import { containerStatsOf } from "../convert/stats.ts";
import type { CriDeps } from "../deps.ts";
import type { ContainerStatsRequest, ContainerStatsResponse } from "../generated/api.ts";
import type { Unary } from "../service.ts";

/** ContainerStats: without stats for a container that has ended (reference: cri.md 4.7, 4.8). */
export function containerStats({ pods }: CriDeps): Unary<ContainerStatsRequest, ContainerStatsResponse> {
  return async ({ containerId }, call) => {
    const stats = await pods.stats.container(findContainer(pods, containerId), call.signal);
    return { stats: stats === undefined ? undefined : containerStatsOf(stats) };
  };
}
