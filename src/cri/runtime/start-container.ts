import { findContainer, startContainer } from "../../containers/index.ts";
import type { CriDeps } from "../deps.ts";
import type { StartContainerRequest, StartContainerResponse } from "../generated/api.ts";
import type { Unary } from "../service.ts";
import { orNotFound } from "../status.ts";

/** StartContainer (reference: cri.md 4.1). */
export function startContainerRpc({ pods }: CriDeps): Unary<StartContainerRequest, StartContainerResponse> {
  return async ({ containerId }, call) => {
    call.log.info(`Starting container: ${containerId}`);
    const found = await orNotFound(`could not find container "${containerId}": `, () =>
      findContainer(pods, containerId),
    );
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
