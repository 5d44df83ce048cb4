import { listContainers } from "../../pods/index.ts";
import { chunksOf } from "../chunks.ts";
import { containerEntryOf } from "../convert/response.ts";
import type { CriDeps } from "../deps.ts";
import type { StreamContainersRequest, StreamContainersResponse } from "../generated/api.ts";
import type { Streaming } from "../service.ts";
import { containerFilterOf } from "./list-containers.ts";

/** StreamContainers: what ListContainers tells, a part at a time (reference: cri.md 4.4). */
export function streamContainers({ pods }: CriDeps): Streaming<StreamContainersRequest, StreamContainersResponse> {
  return async function* ({ filter }) {
    for (const chunk of chunksOf(listContainers(pods, containerFilterOf(filter)))) {
      yield { containers: chunk.map(containerEntryOf) };
    }
  };
}
