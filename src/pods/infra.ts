import { join } from "node:path";
import type { ContainerRecord, PodRecord } from "../state/index.ts";

/** The infra container of a pod, seen as a container: it carries the pod's id. */
export function infraContainerRecord(pod: PodRecord, image = ""): ContainerRecord {
  return {
    id: pod.id,
    podId: pod.id,
    name: pod.infraName,
    metadata: { name: "POD", attempt: pod.metadata.attempt },
    image: { requested: image, name: image, id: "", repoDigests: [] },
    labels: pod.labels,
    annotations: pod.annotations,
    createdAtNs: pod.createdAtNs,
    logPath: infraLogPath(pod),
    tty: false,
    stdin: false,
    stdinOnce: false,
    mountPoint: pod.mountPoint,
    volumes: [],
    stopSignal: "",
    runtimeHandler: pod.runtimeHandler,
    runtimePath: "",
    privileged: pod.privileged,
    dir: pod.dir,
    runDir: pod.runDir,
  };
}

/** Where the infra container's log lies. */
export function infraLogPath(pod: Pick<PodRecord, "id" | "logDirectory">): string {
  return join(pod.logDirectory, `${pod.id}.log`);
}
