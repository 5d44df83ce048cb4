import { runPod } from "../../pods/index.ts";
import { podConfigOf } from "../convert/pod-config.ts";
import type { CriDeps } from "../deps.ts";
import type { RunPodSandboxRequest, RunPodSandboxResponse } from "../generated/api.ts";
import type { Unary } from "../service.ts";

/** RunPodSandbox: creates a pod and starts its infra container where it needs one (reference: cri.md 2.1). */
export function runPodSandbox({ pods }: CriDeps): Unary<RunPodSandboxRequest, RunPodSandboxResponse> {
  return async (request, call) => {
    const config = podConfigOf(request.config);
    const { namespace, name } = config.metadata;
    call.log.info(`Running pod sandbox: ${namespace}/${name}/POD`);
    const podSandboxId = await runPod(pods, config, { runtimeHandler: request.runtimeHandler, signal: call.signal });
    call.log.info(`Ran pod sandbox ${podSandboxId} with infra container: ${namespace}/${name}/POD`);
    return { podSandboxId };
  };
}
