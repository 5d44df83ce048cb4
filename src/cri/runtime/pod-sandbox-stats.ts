import { findPod } from "../../pods/index.ts";
import { podStatsOf } from "../convert/stats.ts";
import type { CriDeps } from "../deps.ts";
import type { PodSandboxStatsRequest, PodSandboxStatsResponse } from "../generated/api.ts";
import type { Unary } from "../service.ts";

/** PodSandboxStats (reference: cri.md 4.7, 4.8). */
export function podSandboxStats({ pods }: CriDeps): Unary<PodSandboxStatsRequest, PodSandboxStatsResponse> {
  return async ({ podSandboxId }, call) => ({
    stats: podStatsOf(await pods.stats.pod(findPod(pods, podSandboxId), call.signal)),
  });
}
