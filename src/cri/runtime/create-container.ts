import { Fault, reasonOf } from "../../base/index.ts";
import { createContainer } from "../../containers/index.ts";
import { findPod } from "../../pods/index.ts";
import { containerConfigOf } from "../convert/container-config.ts";
import type { CriDeps } from "../deps.ts";
import type { CreateContainerRequest, CreateContainerResponse } from "../generated/api.ts";
import { shownId } from "../look-up.ts";
import type { Unary } from "../service.ts";

/** CreateContainer: a container in a running pod, not started yet (reference: cri.md 3). */
export function createContainerRpc({ pods }: CriDeps): Unary<CreateContainerRequest, CreateContainerResponse> {
  return async (request, call) => {
    requireParts(request);
    const pod = podOf(pods, request.podSandboxId);
    const config = containerConfigOf(request.config);
    const { namespace, name } = pod.record.metadata;
    const what = `${namespace}/${name}/${config.metadata.name}`;
    call.log.info(`Creating container: ${what}`);
    const containerId = await createContainer(pods, pod, config, {
      logDirectory: request.sandboxConfig?.logDirectory ?? "",
      signal: call.signal,
    });
    call.log.info(`Created container ${containerId}: ${what}`);
    return { containerId };
  };
}

/** What must be there, in CRI-O's order: these come before the pod is looked for. */
function requireParts({ config, sandboxConfig }: CreateContainerRequest): void {
  if (config === undefined) throw new Fault("invalid", "config is nil");
  if (config.image === undefined) throw new Fault("invalid", "config image is nil");
  if (sandboxConfig === undefined) throw new Fault("invalid", "sandbox config is nil");
  if (sandboxConfig.metadata === undefined) throw new Fault("invalid", "sandbox config metadata is nil");
}

function podOf(pods: CriDeps["pods"], id: string) {
  try {
    return findPod(pods, id);
  } catch (cause) {
    if (id === "") throw cause;
    throw new Fault("failed", `specified sandbox not found: ${shownId(id)}: ${reasonOf(cause)}`, { cause });
  }
}
