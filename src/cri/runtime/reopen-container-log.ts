import { Fault, reasonOf } from "../../base/index.ts";
import { findContainer, reopenContainerLog } from "../../containers/index.ts";
import type { CriDeps } from "../deps.ts";
import type { ReopenContainerLogRequest, ReopenContainerLogResponse } from "../generated/api.ts";
import { shownId } from "../look-up.ts";
import type { Unary } from "../service.ts";

/** ReopenContainerLog: after the kubelet moved the log away (reference: cri.md 4.7). */
export function reopenContainerLogRpc({ pods }: CriDeps): Unary<ReopenContainerLogRequest, ReopenContainerLogResponse> {
  return async ({ containerId }) => {
    let container: ReturnType<typeof findContainer>;
    try {
      container = findContainer(pods, containerId);
    } catch (cause) {
      throw new Fault("failed", `could not find container ${shownId(containerId)}: ${reasonOf(cause)}`, { cause });
    }
    await reopenContainerLog(container);
    return {};
  };
}
