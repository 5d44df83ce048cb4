import type { ContainerEvent } from "../../state/index.ts";
import { containerStatusOf, podStatusOf } from "../convert/response.ts";
import type { CriDeps } from "../deps.ts";
import { type ContainerEventResponse, ContainerEventType, type GetEventsRequest } from "../generated/api.ts";
import type { Streaming } from "../service.ts";

/** What it asks of the daemon. */
interface EventDeps {
  readonly pods: Pick<CriDeps["pods"], "events" | "pods" | "containers"> & {
    readonly podOptions: Pick<CriDeps["pods"]["podOptions"], "podEvents">;
  };
}

/**
 * GetContainerEvents: every event from now on, with how its pod and that pod's containers stand, until the client leaves. Without
 * `enable_pod_events` there are none, and the stream ends at once (reference: cri.md 4.7).
 */
export function getContainerEvents({ pods }: EventDeps): Streaming<GetEventsRequest, ContainerEventResponse> {
  return async function* (_request, call) {
    if (!pods.podOptions.podEvents || call.signal.aborted) return;
    const left = new AbortController(); // also when the stream ends without the call being cancelled
    try {
      for await (const event of pods.events.subscribe(AbortSignal.any([call.signal, left.signal]))) {
        const response = eventOf(pods, event);
        if (response !== undefined) yield response;
      }
    } finally {
      left.abort();
    }
  };
}

const types: Readonly<Record<ContainerEvent["type"], ContainerEventType>> = {
  created: ContainerEventType.CONTAINER_CREATED_EVENT,
  started: ContainerEventType.CONTAINER_STARTED_EVENT,
  stopped: ContainerEventType.CONTAINER_STOPPED_EVENT,
  deleted: ContainerEventType.CONTAINER_DELETED_EVENT,
};

/** Undefined when the pod is gone. An event is published after memory was changed, so what is told here is no older than it. */
function eventOf(pods: EventDeps["pods"], event: ContainerEvent): ContainerEventResponse | undefined {
  const pod = pods.pods.get(event.podId);
  if (pod === undefined) return undefined;
  return {
    containerId: event.containerId,
    containerEventType: types[event.type],
    createdAt: event.atNs,
    podSandboxStatus: podStatusOf({ pod }),
    containersStatuses: pods.containers
      .ofPod(event.podId)
      .map((container) => containerStatusOf({ container, imageName: container.record.image.name })),
  };
}
