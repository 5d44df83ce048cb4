import { listPods } from "../../pods/index.ts";
import { chunksOf } from "../chunks.ts";
import { podEntryOf } from "../convert/response.ts";
import type { CriDeps } from "../deps.ts";
import type { StreamPodSandboxesRequest, StreamPodSandboxesResponse } from "../generated/api.ts";
import type { Streaming } from "../service.ts";
import { podFilterOf } from "./list-pod-sandbox.ts";

/** StreamPodSandboxes: what ListPodSandbox tells, a part at a time (reference: cri.md 2.12). */
export function streamPodSandboxes({
  pods,
}: CriDeps): Streaming<StreamPodSandboxesRequest, StreamPodSandboxesResponse> {
  return async function* ({ filter }) {
    for (const chunk of chunksOf(listPods(pods, podFilterOf(filter)))) yield { podSandboxes: chunk.map(podEntryOf) };
  };
}
