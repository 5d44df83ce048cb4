import { listPods } from "../../pods/index.ts";
import { chunksOf } from "../chunks.ts";
import { podStatsOf } from "../convert/stats.ts";
import type { CriDeps } from "../deps.ts";
import type { StreamPodSandboxStatsRequest, StreamPodSandboxStatsResponse } from "../generated/api.ts";
import type { Streaming } from "../service.ts";
import { podStatsFilterOf } from "./list-pod-sandbox-stats.ts";

/** StreamPodSandboxStats: what ListPodSandboxStats tells, a part at a time. */
export function streamPodSandboxStats({
  pods,
}: CriDeps): Streaming<StreamPodSandboxStatsRequest, StreamPodSandboxStatsResponse> {
  return async function* ({ filter }, call) {
    for (const chunk of chunksOf(listPods(pods, podStatsFilterOf(filter)))) {
      yield { podSandboxStats: (await pods.stats.pods(chunk, call.signal)).map(podStatsOf) };
    }
  };
}
