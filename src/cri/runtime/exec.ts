import { Fault, reasonOf } from "../../base/index.ts";
import { findContainer, refreshContainer, requireLive } from "../../containers/index.ts";
import type { CriDeps } from "../deps.ts";
import type { ExecRequest, ExecResponse } from "../generated/api.ts";
import type { Unary } from "../service.ts";
import { streamingFault } from "../status.ts";

/** Exec: a URL under which the client finds the streams of a command (reference: cri.md 5). */
export function execRpc({ pods, streaming }: CriDeps): Unary<ExecRequest, ExecResponse> {
  return async ({ containerId, cmd, tty, stdin, stdout, stderr }, call) => {
    const request = { containerId, command: cmd, tty, stdin, stdout, stderr };
    try {
      if (containerId !== "") requireLive(pods, await refreshContainer(pods, find(containerId), call.signal));
      return { url: streaming.execUrl(request) };
    } catch (error) {
      throw streamingFault(error, (words) => `unable to prepare exec endpoint: ${words}`);
    }
  };

  function find(id: string) {
    try {
      return findContainer(pods, id);
    } catch (cause) {
      throw new Fault("failed", `could not find container "${id}": ${reasonOf(cause)}`, { cause });
    }
  }
}
