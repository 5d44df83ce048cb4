import type { PodDeps } from "../../pods/index.ts";
import type { Metrics } from "./metrics.ts";

/** Counts how containers end, until `signal` aborts. */
export async function countContainerEnds(
  { events, containers }: Pick<PodDeps, "events" | "containers">,
  metrics: Metrics,
  signal: AbortSignal,
): Promise<void> {
  /** Names by id of the containers that are counted by name. */
  const counted = new Map<string, string>();
  for await (const { type, containerId } of events.subscribe(signal)) {
    if (type === "deleted") {
      const name = counted.get(containerId);
      if (name !== undefined) metrics.containerRemoved(name);
      counted.delete(containerId);
      continue;
    }
    const found = type === "stopped" ? containers.get(containerId) : undefined;
    if (found === undefined) continue;
    const { name } = found.record;
    if (found.state.is === "unknown") {
      counted.set(containerId, name);
      metrics.monitorDied(name);
    }
    if (found.state.is === "exited" && found.state.oomKilled) {
      counted.set(containerId, name);
      metrics.outOfMemory(name);
    }
  }
}
