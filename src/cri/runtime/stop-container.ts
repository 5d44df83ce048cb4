import { isFault } from "../../base/index.ts";
import { findContainer, stopContainer } from "../../containers/index.ts";
import type { CriDeps } from "../deps.ts";
import type { StopContainerRequest, StopContainerResponse } from "../generated/api.ts";
import type { Unary } from "../service.ts";
import { orNotFound } from "../status.ts";

const longestMs = 2 ** 31 * 1000;

/** StopContainer: idempotent; a container that is unknown has been stopped (reference: cri.md 4.2). */
export function stopContainerRpc({ pods }: CriDeps): Unary<StopContainerRequest, StopContainerResponse> {
  return async ({ containerId, timeout }, call) => {
    call.log.info(`Stopping container: ${containerId} (timeout: ${timeout}s)`);
    let found: ReturnType<typeof findContainer>;
    try {
      found = findContainer(pods, containerId);
    } catch (error) {
      if (isFault(error, "not-found")) return {};
      return await orNotFound(`could not find container "${containerId}": `, () => {
        throw error;
      });
    }
    const timeoutMs = Math.min(Math.max(0, Number(timeout)) * 1000, longestMs);
    await stopContainer(pods, found, { timeoutMs, signal: call.signal });
    call.log.info(`Stopped container ${found.record.id}: ${found.record.name}`);
    return {};
  };
}
