import type { Container, Pod } from "../state/index.ts";

/** What PodSandboxStatus tells. */
export interface PodStatusView {
  readonly pod: Pod;
}

/** What ContainerStatus tells: the container, and a name its image has now ("" when it has none). */
export interface ContainerStatusView {
  readonly container: Container;
  readonly imageName: string;
}

/** The verbose part of PodSandboxStatus, as CRI-O words it. */
export function podInfo({ record, spec, infra }: Pod, image: string): object {
  if (!record.hasInfraProcess) return { runtimeSpec: spec };
  return { image, pid: infra.init?.pid ?? 0, runtimeSpec: spec };
}

/** The verbose part of ContainerStatus, as CRI-O words it. */
export function containerInfo({ record, spec, init }: Container): object {
  return { sandboxID: record.podId, pid: init?.pid ?? 0, runtimeSpec: spec, privileged: record.privileged };
}
