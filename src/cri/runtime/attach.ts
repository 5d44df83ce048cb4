import { Fault, reasonOf } from "../../base/index.ts";
import { findContainer } from "../../containers/index.ts";
import type { CriDeps } from "../deps.ts";
import type { AttachRequest, AttachResponse } from "../generated/api.ts";
import type { Unary } from "../service.ts";
import { streamingFault } from "../status.ts";

/** Attach: a URL under which the client finds the container's own streams (reference: cri.md 5). */
export function attachRpc({ pods, streaming }: CriDeps): Unary<AttachRequest, AttachResponse> {
  return async ({ containerId, tty, stdin, stdout, stderr }) => {
    try {
      if (containerId !== "") findContainer(pods, containerId);
      return { url: streaming.attachUrl({ containerId, tty, stdin, stdout, stderr }) };
    } catch (cause) {
      if (cause instanceof Fault && cause.code === "not-found") {
        throw new Fault("failed", `could not find container "${containerId}": ${reasonOf(cause)}`, { cause });
      }
      throw streamingFault(cause, (words) => `unable to prepare attach endpoint: ${words}`);
    }
  };
}
