import { execSyncInContainer, findContainer } from "../../containers/index.ts";
import type { CriDeps } from "../deps.ts";
import type { ExecSyncRequest, ExecSyncResponse } from "../generated/api.ts";
import type { Unary } from "../service.ts";
import { orNotFound } from "../status.ts";

/** ExecSync: a command to its end, its output and exit code in the answer (reference: cri.md 4.7). */
export function execSyncRpc({ pods }: CriDeps): Unary<ExecSyncRequest, ExecSyncResponse> {
  return async ({ containerId, cmd, timeout }, call) => {
    const result = await orNotFound("", async () => {
      const container = findContainer(pods, containerId);
      return await execSyncInContainer(pods, container, { args: cmd, timeoutSeconds: timeout, signal: call.signal });
    });
    return { stdout: result.stdout, stderr: result.stderr, exitCode: result.exitCode };
  };
}
