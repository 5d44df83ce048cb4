import { listPods, type PodFilter } from "../../pods/index.ts";
import { podEntryOf } from "../convert/response.ts";
import type { CriDeps } from "../deps.ts";
import {
  type ListPodSandboxRequest,
  type ListPodSandboxResponse,
  type PodSandboxFilter,
  PodSandboxState,
} from "../generated/api.ts";
import type { Unary } from "../service.ts";

/** ListPodSandbox: newest first (reference: cri.md 2.12). */
export function listPodSandbox({ pods }: CriDeps): Unary<ListPodSandboxRequest, ListPodSandboxResponse> {
  return async ({ filter }) => ({ items: listPods(pods, podFilterOf(filter)).map(podEntryOf) });
}

export function podFilterOf(filter: PodSandboxFilter | undefined): PodFilter {
  return {
    id: filter?.id ?? "",
    labels: filter?.labelSelector ?? {},
    ...(filter?.state === undefined ? {} : { ready: filter.state.state === PodSandboxState.SANDBOX_READY }),
  };
}
