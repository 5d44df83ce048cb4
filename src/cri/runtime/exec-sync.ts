import { execSyncInContainer, requireLive } from "../../containers/index.ts";
import { isLive } from "../../state/index.ts";
import type { CriDeps } from "../deps.ts";
import type { ExecSyncRequest, ExecSyncResponse } from "../generated/api.ts";
import { orNotFound, requestedContainer } from "../look-up.ts";
import type { Unary } from "../service.ts";

/** ExecSync: a command to its end, its output and exit code in the answer (reference: cri.md 4.7). */
export function execSyncRpc({ pods }: CriDeps): Unary<ExecSyncRequest, ExecSyncResponse> {
  return async ({ containerId, cmd, timeout }, call) => {
    const container = requestedContainer(pods, containerId);
    if (!isLive(container)) orNotFound("", () => requireLive(pods, container));
    const command = { args: cmd, timeoutSeconds: timeout, signal: call.signal };
    const { stdout, stderr, exitCode } = await execSyncInContainer(pods, container, command);
    return { stdout, stderr, exitCode };
  };
}
