import { isFault } from "../../base/index.ts";
import { findContainer, removeContainer } from "../../containers/index.ts";
import { remainingMs } from "../call.ts";
import type { CriDeps } from "../deps.ts";
import type { RemoveContainerRequest, RemoveContainerResponse } from "../generated/api.ts";
import type { Unary } from "../service.ts";
import { orNotFound } from "../status.ts";

const defaultTimeoutMs = 10_000;

/** RemoveContainer: idempotent; a running container is stopped first (reference: cri.md 4.3). */
export function removeContainerRpc({ pods }: CriDeps): Unary<RemoveContainerRequest, RemoveContainerResponse> {
  return async ({ containerId }, call) => {
    call.log.info(`Removing container: ${containerId}`);
    let found: ReturnType<typeof findContainer>;
    try {
      found = findContainer(pods, containerId);
    } catch (error) {
      if (isFault(error, "not-found")) return {};
      return await orNotFound(`could not find container "${containerId}": `, () => {
        throw error;
      });
    }
    await removeContainer(pods, found, { timeoutMs: remainingMs(call, defaultTimeoutMs), signal: call.signal });
    call.log.info(`Removed container ${found.record.id}: ${found.record.name}`);
    return {};
  };
}
