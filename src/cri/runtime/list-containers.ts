import { type ContainerFilter as Filter, listContainers } from "../../pods/index.ts";
import { containerEntryOf } from "../convert/response.ts";
import type { CriDeps } from "../deps.ts";
import {
  type ContainerFilter,
  ContainerState,
  type ListContainersRequest,
  type ListContainersResponse,
} from "../generated/api.ts";
import type { Unary } from "../service.ts";

/** ListContainers: newest first; infra containers are not among them (reference: cri.md 4.4). */
export function listContainersRpc({ pods }: CriDeps): Unary<ListContainersRequest, ListContainersResponse> {
  return async ({ filter }) => ({ containers: listContainers(pods, containerFilterOf(filter)).map(containerEntryOf) });
}

const states = new Map<number, Filter["state"]>([
  [ContainerState.CONTAINER_CREATED, "created"],
  [ContainerState.CONTAINER_RUNNING, "running"],
  [ContainerState.CONTAINER_EXITED, "exited"],
  [ContainerState.CONTAINER_UNKNOWN, "unknown"],
]);

export function containerFilterOf(filter: ContainerFilter | undefined): Filter {
  const state = filter?.state === undefined ? undefined : states.get(filter.state.state);
  return {
    id: filter?.id ?? "",
    podId: filter?.podSandboxId ?? "",
    labels: filter?.labelSelector ?? {},
    ...(state === undefined ? {} : { state }),
  };
}
