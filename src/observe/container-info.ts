import { Fault } from "../base/index.ts";
import { exactJson } from "../oci/index.ts";
import type { PodDeps } from "../pods/index.ts";
import type { Container, Pod } from "../state/index.ts";

/** As much of the daemon as the inspect endpoints read. */
export type InspectState = Pick<PodDeps, "pods" | "containers">;

/**
 * What `GET /containers/{id}` answers, by CRI-O's names and in its order: cAdvisor reads it. For full ids alone. An infra container without
 * a process has the pid of some running container of its pod: cAdvisor finds the pod's network by it. Throws Fault("not-found").
 */
export function containerInfoJson(state: InspectState, id: string): string {
  const { container, pod } = find(state, id);
  const { record, spec, init } = container;
  return exactJson({
    name: record.name,
    pid: container === pod.infra ? (init?.pid ?? anyPid(state, pod)) : (init?.pid ?? 0),
    image: record.image.name,
    image_ref: record.image.id,
    created_time: record.createdAtNs,
    labels: record.labels,
    annotations: record.annotations,
    crio_annotations: spec.annotations ?? {},
    log_path: record.logPath,
    root: record.mountPoint,
    sandbox: record.podId,
    ip_addresses: pod.ips,
    host_network: pod.record.hostNetwork,
  });
}

/** The container, or the infra container of a pod, of that full id, and its pod. */
function find({ pods, containers }: InspectState, id: string): { readonly container: Container; readonly pod: Pod } {
  const container = containers.get(id);
  const pod = pods.get(container?.record.podId ?? id);
  if (container === undefined && pod === undefined) {
    throw new Fault("not-found", `can't find the container with id ${id.slice(0, 80)}`);
  }
  if (pod === undefined) throw new Fault("not-found", `can't find the sandbox for container id ${id.slice(0, 80)}`);
  return { container: container ?? pod.infra, pod };
}

function anyPid({ containers }: InspectState, { record }: Pod): number {
  const running = containers.ofPod(record.id).find(({ state }) => state.is === "running");
  return running?.init?.pid ?? 0;
}
