import type { ContainerMetadata, PodMetadata } from "../state/index.ts";

/** `k8s_<container>_<pod>_<namespace>_<uid>_<attempt>`: the name of a container in the store, the log and the monitor. */
export function containerName(container: ContainerMetadata, pod: PodMetadata): string {
  return ["k8s", container.name, pod.name, pod.namespace, pod.uid, String(container.attempt)].join("_");
}
