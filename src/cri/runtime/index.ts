import type { CriDeps } from "../deps.ts";
import type { RuntimeServiceDefinition } from "../generated/api.ts";
import type { Handlers } from "../service.ts";
import { attachRpc } from "./attach.ts";
import { containerStats } from "./container-stats.ts";
import { containerStatus } from "./container-status.ts";
import { createContainerRpc } from "./create-container.ts";
import { execRpc } from "./exec.ts";
import { execSyncRpc } from "./exec-sync.ts";
import { getContainerEvents } from "./get-container-events.ts";
import { listContainerStats } from "./list-container-stats.ts";
import { listContainersRpc } from "./list-containers.ts";
import { listMetricDescriptors } from "./list-metric-descriptors.ts";
import { listPodSandbox } from "./list-pod-sandbox.ts";
import { listPodSandboxMetrics } from "./list-pod-sandbox-metrics.ts";
import { listPodSandboxStats } from "./list-pod-sandbox-stats.ts";
import { podSandboxStats } from "./pod-sandbox-stats.ts";
import { podSandboxStatus } from "./pod-sandbox-status.ts";
import { portForwardRpc } from "./port-forward.ts";
import { removeContainerRpc } from "./remove-container.ts";
import { removePodSandbox } from "./remove-pod-sandbox.ts";
import { reopenContainerLogRpc } from "./reopen-container-log.ts";
import { runPodSandbox } from "./run-pod-sandbox.ts";
import { runtimeConfig } from "./runtime-config.ts";
import { startContainerRpc } from "./start-container.ts";
import { status } from "./status.ts";
import { stopContainerRpc } from "./stop-container.ts";
import { stopPodSandbox } from "./stop-pod-sandbox.ts";
import { streamContainerStats } from "./stream-container-stats.ts";
import { streamContainers } from "./stream-containers.ts";
import { streamPodSandboxMetrics } from "./stream-pod-sandbox-metrics.ts";
import { streamPodSandboxStats } from "./stream-pod-sandbox-stats.ts";
import { streamPodSandboxes } from "./stream-pod-sandboxes.ts";
import { updateContainerResourcesRpc } from "./update-container-resources.ts";
import { updatePodSandboxResourcesRpc } from "./update-pod-sandbox-resources.ts";
import { updateRuntimeConfig } from "./update-runtime-config.ts";
import { version } from "./version.ts";

/** The calls of RuntimeService that are answered; the others say UNIMPLEMENTED. */
export function runtimeHandlers(deps: CriDeps): Handlers<typeof RuntimeServiceDefinition> {
  return {
    version: version(deps),
    status: status(deps),
    runtimeConfig: runtimeConfig(deps),
    updateRuntimeConfig: updateRuntimeConfig(),
    runPodSandbox: runPodSandbox(deps),
    stopPodSandbox: stopPodSandbox(deps),
    removePodSandbox: removePodSandbox(deps),
    podSandboxStatus: podSandboxStatus(deps),
    listPodSandbox: listPodSandbox(deps),
    createContainer: createContainerRpc(deps),
    startContainer: startContainerRpc(deps),
    stopContainer: stopContainerRpc(deps),
    removeContainer: removeContainerRpc(deps),
    listContainers: listContainersRpc(deps),
    containerStatus: containerStatus(deps),
    execSync: execSyncRpc(deps),
    exec: execRpc(deps),
    attach: attachRpc(deps),
    portForward: portForwardRpc(deps),
    reopenContainerLog: reopenContainerLogRpc(deps),
    updateContainerResources: updateContainerResourcesRpc(deps),
    updatePodSandboxResources: updatePodSandboxResourcesRpc(deps),
    streamPodSandboxes: streamPodSandboxes(deps),
    streamContainers: streamContainers(deps),
    containerStats: containerStats(deps),
    listContainerStats: listContainerStats(deps),
    streamContainerStats: streamContainerStats(deps),
    podSandboxStats: podSandboxStats(deps),
    listPodSandboxStats: listPodSandboxStats(deps),
    streamPodSandboxStats: streamPodSandboxStats(deps),
    getContainerEvents: getContainerEvents(deps),
    listMetricDescriptors: listMetricDescriptors(deps),
    listPodSandboxMetrics: listPodSandboxMetrics(deps),
    streamPodSandboxMetrics: streamPodSandboxMetrics(deps),
  };
}
