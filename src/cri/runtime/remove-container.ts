import { patienceWithin, removeContainer } from "../../containers/index.ts";
import { remainingMs } from "../call.ts";
import type { CriDeps } from "../deps.ts";
import type { RemoveContainerRequest, RemoveContainerResponse } from "../generated/api.ts";
import { remainingContainer } from "../look-up.ts";
import type { Unary } from "../service.ts";

const defaultTimeoutMs = 10_000;

/** RemoveContainer: idempotent; a running container is stopped first (reference: cri.md 4.3). */
export function removeContainerRpc({ pods }: CriDeps): Unary<RemoveContainerRequest, RemoveContainerResponse> {
  return async ({ containerId }, call) => {
    call.log.info(`Removing container: ${containerId}`);
    const found = remainingContainer(pods, containerId);
    if (found === undefined) return {};
    const timeoutMs = patienceWithin(remainingMs(call, defaultTimeoutMs));
    await removeContainer(pods, found, { timeoutMs, signal: call.signal });
    call.log.info(`Removed container ${found.record.id}: ${found.record.name}`);
    return {};
  };
}
