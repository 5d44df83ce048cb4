import { stopContainer } from "../../containers/index.ts";
import type { CriDeps } from "../deps.ts";
import type { StopContainerRequest, StopContainerResponse } from "../generated/api.ts";
import { remainingContainer } from "../look-up.ts";
import type { Unary } from "../service.ts";

const longestMs = 2 ** 31 * 1000;

/** StopContainer: idempotent; a container that is unknown has been stopped (reference: cri.md 4.2). */
export function stopContainerRpc({ pods }: CriDeps): Unary<StopContainerRequest, StopContainerResponse> {
  return async ({ containerId, timeout }, call) => {
    call.log.info(`Stopping container: ${containerId} (timeout: ${timeout}s)`);
    const found = remainingContainer(pods, containerId);
    if (found === undefined) return {};
    const timeoutMs = Math.min(Math.max(0, Number(timeout)) * 1000, longestMs);
    await stopContainer(pods, found, { timeoutMs, signal: call.signal });
    call.log.info(`Stopped container ${found.record.id}: ${found.record.name}`);
    return {};
  };
}
