import { findContainer, updateContainer } from "../../containers/index.ts";
import { linuxResourcesOf } from "../convert/request.ts";
import type { CriDeps } from "../deps.ts";
import type { UpdateContainerResourcesRequest, UpdateContainerResourcesResponse } from "../generated/api.ts";
import type { Unary } from "../service.ts";

/** UpdateContainerResources: new limits for a running container (reference: cri.md 4.6). */
export function updateContainerResourcesRpc({
  pods,
}: CriDeps): Unary<UpdateContainerResourcesRequest, UpdateContainerResourcesResponse> {
  return async ({ containerId, linux }) => {
    const container = findContainer(pods, containerId);
    const resources = linuxResourcesOf(linux);
    if (resources !== undefined) await updateContainer(pods, container, resources);
    return {};
  };
}
