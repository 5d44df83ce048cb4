import { startContainer } from "../../containers/index.ts";
import type { CriDeps } from "../deps.ts";
import type { StartContainerRequest, StartContainerResponse } from "../generated/api.ts";
import { requestedContainer } from "../look-up.ts";
import type { Unary } from "../service.ts";

/** StartContainer (reference: cri.md 4.1). */
export function startContainerRpc({ pods }: CriDeps): Unary<StartContainerRequest, StartContainerResponse> {
  return async ({ containerId }, call) => {
    call.log.info(`Starting container: ${containerId}`);
    const found = requestedContainer(pods, containerId);
    await startContainer(pods, found);
    const { record } = found;
    const { namespace, name } = pods.pods.get(record.podId)?.record.metadata ?? { namespace: "", name: "" };
    call.log.info("Started container", {
      description: `${namespace}/${name}/${record.metadata.name}`,
      containerID: record.id,
      sandboxID: record.podId,
      PID: found.init?.pid,
    });
    return {};
  };
}
