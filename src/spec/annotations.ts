import { featureAnnotation, isCrioAnnotation, knownAnnotations } from "../oci/index.ts";

type StringMap = Readonly<Record<string, string>>;

export interface AnnotationsPlan {
  /** The pod's, filtered, with the handler's defaults. */
  readonly pod: StringMap;
  /** The container's, filtered. */
  readonly container: StringMap;
  /** The container's name in the pod. */
  readonly containerName: string;
  /** The container's labels; the pod's for the infra container. */
  readonly labels: StringMap;
  /** Written by crio itself: `crioAnnotation` names, IPs, and `systemdAnnotations`. */
  readonly crio: StringMap;
}

/**
 * `annotations` of a spec (reference: cri.md 3.8): the pod's, the container's, the labels, then crio's own, which nothing replaces.
 * What comes from a pod never appears under a name of crio's record, so a restart cannot be told lies; and labels, which no handler
 * allows or forbids, are left out where a runtime or hook would take them for instructions.
 */
export function specAnnotations(plan: AnnotationsPlan): StringMap {
  const merged: Record<string, string> = Object.create(null);
  const pod = ofThisContainer(plan.pod, plan.containerName);
  for (const [name, value] of [...pod, ...Object.entries(plan.container)]) {
    if (!isCrioAnnotation(name)) merged[name] = value;
  }
  for (const [name, value] of Object.entries(plan.labels)) {
    if (!isCrioAnnotation(name) && !isInstruction(name)) merged[name] = value;
  }
  return Object.assign(merged, plan.crio);
}

/**
 * What crun and runc hand to systemd for a container's scope, with the systemd cgroup manager. `gracePeriod` is the container's
 * annotation io.kubernetes.pod.terminationGracePeriod: seconds, passed over unless it is a plain number.
 */
export function systemdAnnotations(gracePeriod: string | undefined): StringMap {
  const isSeconds = gracePeriod !== undefined && /^(0|[1-9]\d{0,9})$/.test(gracePeriod);
  return {
    ...(isSeconds ? { "org.systemd.property.TimeoutStopUSec": `uint64 ${gracePeriod}000000` } : {}),
    "org.systemd.property.DefaultDependencies": "true",
    "org.systemd.property.After": "['crio.service']",
  };
}

/** Tracing of one container, `…trace-syscall/CTR`, is what the hook knows as `…trace-syscall` on that container. */
function ofThisContainer(annotations: StringMap, containerName: string): readonly (readonly [string, string])[] {
  const { name: trace } = featureAnnotation.traceSyscall;
  return Object.entries(annotations).map(([name, value]) =>
    name === `${trace}/${containerName}` ? [trace, value] : [name, value],
  );
}

function isInstruction(name: string): boolean {
  return knownAnnotations.some((known) => name.startsWith(known));
}
