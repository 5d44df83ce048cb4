import { assertNever } from "../../base/index.ts";
import type { ContainerStatusView, PodStatusView } from "../../pods/index.ts";
import { type Container, isReady, type NamespaceMode, type NamespaceOptions, type Pod } from "../../state/index.ts";
import * as api from "../generated/api.ts";

/* What CRI's answers say of pods and containers, from our values to protobuf. */

const modeNumbers: Readonly<Record<NamespaceMode, 0 | 1 | 2 | 3>> = { pod: 0, container: 1, node: 2, target: 3 };

export function podEntryOf(pod: Pod): api.PodSandbox {
  const { record } = pod;
  return api.PodSandbox.fromPartial({
    id: record.id,
    metadata: record.metadata,
    state: podStateOf(pod),
    createdAt: record.createdAtNs,
    labels: record.labels,
    annotations: record.annotations,
  });
}

export function podStateOf(pod: Pod): api.PodSandboxState {
  return isReady(pod) ? api.PodSandboxState.SANDBOX_READY : api.PodSandboxState.SANDBOX_NOTREADY;
}

export function podStatusOf({ pod }: PodStatusView): api.PodSandboxStatus {
  const { record } = pod;
  const [ip = "", ...more] = record.hostNetwork ? [] : pod.ips;
  return api.PodSandboxStatus.fromPartial({
    id: record.id,
    metadata: record.metadata,
    state: podStateOf(pod),
    createdAt: record.createdAtNs,
    network: { ip, additionalIps: more.map((address) => ({ ip: address })) },
    linux: { namespaces: { options: namespaceOptionOf(record.namespaceOptions) } },
    labels: record.labels,
    annotations: record.annotations,
  });
}

export function containerEntryOf(container: Container): api.Container {
  const { record } = container;
  return api.Container.fromPartial({
    id: record.id,
    podSandboxId: record.podId,
    metadata: record.metadata,
    image: { image: record.image.requested },
    imageRef: record.image.repoDigests[0] ?? record.image.id,
    imageId: record.image.id,
    state: containerStateOf(container),
    createdAt: record.createdAtNs,
    labels: record.labels,
    annotations: record.annotations,
  });
}

export function containerStateOf(container: Container): api.ContainerState {
  switch (container.state.is) {
    case "created":
      return api.ContainerState.CONTAINER_CREATED;
    case "running":
      return api.ContainerState.CONTAINER_RUNNING;
    case "exited":
      return api.ContainerState.CONTAINER_EXITED;
    case "unknown":
      return api.ContainerState.CONTAINER_UNKNOWN;
    default:
      return assertNever(container.state);
  }
}

export function containerStatusOf({ container, imageName }: ContainerStatusView): api.ContainerStatus {
  const { record, state, spec } = container;
  const { reason, message } = explanationOf(container);
  const user = spec.process?.user;
  return api.ContainerStatus.fromPartial({
    id: record.id,
    metadata: record.metadata,
    state: containerStateOf(container),
    createdAt: record.createdAtNs,
    startedAt: state.is === "created" ? 0n : state.startedAtNs,
    finishedAt: state.is === "exited" ? state.finishedAtNs : 0n,
    exitCode: state.is === "exited" ? state.exitCode : 0,
    image: { image: imageName },
    imageRef: record.image.repoDigests[0] ?? record.image.id,
    imageId: record.image.id,
    reason,
    message,
    labels: record.labels,
    annotations: record.annotations,
    mounts: record.volumes.map((volume) => ({
      containerPath: volume.containerPath,
      hostPath: volume.hostPath,
      readonly: volume.readonly,
      recursiveReadOnly: volume.recursiveReadOnly,
      propagation: { private: 0, "host-to-container": 1, bidirectional: 2 }[volume.propagation] as api.MountPropagation,
      selinuxRelabel: volume.selinuxRelabel,
      ...(volume.image === undefined ? {} : { image: { image: volume.image } }),
    })),
    logPath: record.logPath,
    resources: { linux: resourcesOf(container) },
    ...(user === undefined
      ? {}
      : {
          user: {
            linux: {
              uid: BigInt(user.uid),
              gid: BigInt(user.gid),
              supplementalGroups: (user.additionalGids ?? []).map(BigInt),
            },
          },
        }),
  });
}

/** The kubelet's words for how a container ended. */
function explanationOf({ state }: Container): { reason: string; message: string } {
  if (state.is === "unknown") return { reason: "ContainerStatusUnknown", message: state.why };
  if (state.is !== "exited") return { reason: "", message: "" };
  if (state.oomKilled) return { reason: "OOMKilled", message: state.error };
  if (state.exitCode === 0) return { reason: "Completed", message: state.error };
  return { reason: "Error", message: state.error };
}

function namespaceOptionOf(options: NamespaceOptions): api.NamespaceOption {
  const { userns } = options;
  return api.NamespaceOption.fromPartial({
    network: modeNumbers[options.network],
    pid: modeNumbers[options.pid],
    ipc: modeNumbers[options.ipc],
    targetId: options.targetId,
    ...(userns === undefined
      ? {}
      : { usernsOptions: { mode: modeNumbers[userns.mode], uids: [...userns.uids], gids: [...userns.gids] } }),
  });
}

/** The limits in force, from the spec in memory, which an update changes too. */
function resourcesOf({ spec }: Container): api.LinuxContainerResources {
  const resources = spec.linux?.resources;
  const big = (value: number | bigint | undefined) => (value === undefined ? 0n : BigInt(value));
  return api.LinuxContainerResources.fromPartial({
    cpuPeriod: big(resources?.cpu?.period),
    cpuQuota: big(resources?.cpu?.quota),
    cpuShares: big(resources?.cpu?.shares),
    cpusetCpus: resources?.cpu?.cpus ?? "",
    cpusetMems: resources?.cpu?.mems ?? "",
    memoryLimitInBytes: big(resources?.memory?.limit),
    memorySwapLimitInBytes: big(resources?.memory?.swap),
    oomScoreAdj: big(spec.process?.oomScoreAdj),
    hugepageLimits: (resources?.hugepageLimits ?? []).map(({ pageSize, limit }) => ({
      pageSize,
      limit: BigInt(limit),
    })),
    unified: { ...resources?.unified },
  });
}
