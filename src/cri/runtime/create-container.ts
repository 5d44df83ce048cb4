import { Fault, reasonOf } from "../../base/index.ts";
import { createContainer } from "../../containers/index.ts";
import { findPod } from "../../pods/index.ts";
import { containerConfigOf } from "../convert/container-config.ts";
import type { CriDeps } from "../deps.ts";
import type { CreateContainerRequest, CreateContainerResponse } from "../generated/api.ts";
import type { Unary } from "../service.ts";

/** CreateContainer: a container in a running pod, not started yet (reference: cri.md 3). */
export function createContainerRpc({ pods }: CriDeps): Unary<CreateContainerRequest, CreateContainerResponse> {
  return async (request, call) => {
    const config = containerConfigOf(request.config);
    if (request.sandboxConfig === undefined) throw new Fault("invalid", "sandbox config is nil");
    if (request.sandboxConfig.metadata === undefined) throw new Fault("invalid", "sandbox config metadata is nil");
    const pod = podOf(pods, request.podSandboxId);
    const { namespace, name } = pod.record.metadata;
    const what = `${namespace}/${name}/${config.metadata.name}`;
    call.log.info(`Creating container: ${what}`);
    const containerId = await createContainer(pods, pod, config, {
      logDirectory: request.sandboxConfig.logDirectory,
      signal: call.signal,
    });
    call.log.info(`Created container ${containerId}: ${what}`);
    return { containerId };
  };
}

function podOf(pods: CriDeps["pods"], id: string) {
  try {
    return findPod(pods, id);
  } catch (cause) {
    throw new Fault("failed", `specified sandbox not found: ${id}: ${reasonOf(cause)}`, { cause });
  }
}
