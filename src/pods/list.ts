import { type Container, isReady, type Pod, type StringMap } from "../state/index.ts";
import type { PodDeps } from "./deps.ts";

export interface PodFilter {
  /** An id or the beginning of one; "" is no filter. A miss and an ambiguous prefix list nothing. */
  readonly id: string;
  readonly ready?: boolean;
  readonly labels: StringMap;
}

/** The pods that pass the filter, newest first; those whose creation nobody was told of are not among them. */
export function listPods(deps: Pick<PodDeps, "pods" | "podCreations">, filter: PodFilter): readonly Pod[] {
  return deps.pods
    .list()
    .filter(({ record }) => !deps.podCreations.isUnclaimed(record.id))
    .filter((pod, _index, all) => matchesId(pod.record.id, filter.id, all))
    .filter((pod) => filter.ready === undefined || isReady(pod) === filter.ready)
    .filter(({ record }) => hasLabels(record.labels, filter.labels));
}

export interface ContainerFilter {
  readonly id: string;
  readonly podId: string;
  readonly state?: Container["state"]["is"];
  readonly labels: StringMap;
}

/** The containers that pass the filter, newest first. */
export function listContainers(
  deps: Pick<PodDeps, "containers" | "pods" | "creations">,
  filter: ContainerFilter,
): readonly Container[] {
  const pods = filter.podId === "" ? [] : deps.pods.list();
  return deps.containers
    .list()
    .filter(({ record }) => !deps.creations.isUnclaimed(record.id))
    .filter((container, _index, all) => matchesId(container.record.id, filter.id, all))
    .filter(({ record }) => matchesId(record.podId, filter.podId, pods))
    .filter((container) => filter.state === undefined || container.state.is === filter.state)
    .filter(({ record }) => hasLabels(record.labels, filter.labels));
}

function hasLabels(labels: StringMap, wanted: StringMap): boolean {
  return Object.entries(wanted).every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value);
}

/** Whether `id` is the one that `prefix` means among `all`. */
function matchesId(id: string, prefix: string, all: readonly { readonly record: { readonly id: string } }[]): boolean {
  if (prefix === "") return true;
  if (!id.startsWith(prefix)) return false;
  return id === prefix || all.filter(({ record }) => record.id.startsWith(prefix)).length === 1;
}
