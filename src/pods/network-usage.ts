import { reasonOf } from "../base/index.ts";
import type { InterfaceCounters, NamespaceWorker } from "../host/index.ts";
import type { Pod } from "../state/index.ts";
import type { PodDeps } from "./deps.ts";

export interface NetworkUsageDeps extends Pick<PodDeps, "pods" | "log"> {
  readonly namespaces: Pick<NamespaceWorker, "inNetns">;
}

/** A pod with the right to can make as many interfaces as it likes. */
const maxInterfaces = 1_000;
const timeoutMs = 5_000;
const hostNetns = "/proc/self/ns/net";

/**
 * The interfaces of a pod's network namespace but `lo`, the oldest first, with their counters; those of the host for a pod with host
 * network. Undefined when they cannot be read, which is logged unless the pod has been stopped meanwhile. Never rejects.
 */
export async function readPodInterfaces(
  deps: NetworkUsageDeps,
  { record }: Pod,
  signal?: AbortSignal,
): Promise<readonly InterfaceCounters[] | undefined> {
  const path = record.namespaces.net ?? (record.hostNetwork ? hostNetns : undefined);
  if (path === undefined) return undefined;
  try {
    const found = await deps.namespaces.inNetns(path, "interfaces", {
      timeoutMs,
      ...(signal === undefined ? {} : { signal }),
    });
    return found.filter(({ name }) => name !== "lo").slice(0, maxInterfaces);
  } catch (error) {
    const isStopped = deps.pods.get(record.id)?.stopped ?? true;
    if (!isStopped && !signal?.aborted) {
      deps.log.warn("reading a pod's network interfaces failed; statistics go without them", {
        pod: record.id,
        error: reasonOf(error),
      });
    }
    return undefined;
  }
}
