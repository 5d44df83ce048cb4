import { listContainers } from "../../pods/index.ts";
import { isLive } from "../../state/index.ts";
import { chunksOf } from "../chunks.ts";
import { containerStatsOf } from "../convert/stats.ts";
import type { CriDeps } from "../deps.ts";
import type { StreamContainerStatsRequest, StreamContainerStatsResponse } from "../generated/api.ts";
import type { Streaming } from "../service.ts";
import { containerStatsFilterOf } from "./list-container-stats.ts";

/** StreamContainerStats: what ListContainerStats tells, a part at a time. */
export function streamContainerStats({
  pods,
}: CriDeps): Streaming<StreamContainerStatsRequest, StreamContainerStatsResponse> {
  return async function* ({ filter }, call) {
    for (const chunk of chunksOf(listContainers(pods, containerStatsFilterOf(filter)).filter(isLive))) {
      const containerStats = (await pods.stats.containers(chunk, call.signal)).map(containerStatsOf);
      if (containerStats.length > 0) yield { containerStats };
    }
  };
}
