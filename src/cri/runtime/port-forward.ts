import type { CriDeps } from "../deps.ts";
import type { PortForwardRequest, PortForwardResponse } from "../generated/api.ts";
import type { Unary } from "../service.ts";
import { streamingFault } from "../status.ts";

/** PortForward: a URL under which the client reaches ports of a pod. The pod is looked up when it connects (reference: cri.md 5). */
export function portForwardRpc({ streaming }: CriDeps): Unary<PortForwardRequest, PortForwardResponse> {
  return async ({ podSandboxId, port }) => {
    try {
      return { url: streaming.portForwardUrl({ podId: podSandboxId, ports: port }) };
    } catch (error) {
      throw streamingFault(error, (words) => `unable to prepare portforward endpoint: ${words}`);
    }
  };
}
