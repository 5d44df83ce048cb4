import { refreshContainer } from "../../containers/index.ts";
import { currentImageName } from "../../images/index.ts";
import { containerInfo } from "../../pods/index.ts";
import { jsonText } from "../convert/json-text.ts";
import { containerStatusOf } from "../convert/response.ts";
import type { CriDeps } from "../deps.ts";
import { type ContainerStatusRequest, ContainerStatusResponse } from "../generated/api.ts";
import { requestedContainer } from "../look-up.ts";
import type { Unary } from "../service.ts";

/** ContainerStatus (reference: cri.md 4.5). */
export function containerStatus({ pods, images }: CriDeps): Unary<ContainerStatusRequest, ContainerStatusResponse> {
  return async ({ containerId, verbose }, call) => {
    const container = await refreshContainer(pods, requestedContainer(pods, containerId), call.signal);
    return ContainerStatusResponse.fromPartial({
      status: containerStatusOf({ container, imageName: await currentImageName(images, container.record.image.id) }),
      info: verbose ? { info: jsonText(containerInfo(container)) } : {},
    });
  };
}
