import { type WorkloadDefaults, type WorkloadResources, workloadResources } from "../spec/index.ts";
import type { StringMap } from "../state/index.ts";

/** A kind of pods that the configuration gives resources to, and annotations that others may not have. */
export interface Workload {
  /** A pod that has this annotation, whatever its value, is of this kind. */
  readonly activationAnnotation: string;
  /** `<prefix>/<container>` on the pod sets the resources of one container. */
  readonly annotationPrefix: string;
  readonly allowedAnnotations: readonly string[];
  /** What a container gets when its pod says nothing else. */
  readonly resources: WorkloadDefaults;
}

/** The first workload that a pod is of. */
export function workloadOf(workloads: readonly Workload[], pod: StringMap): Workload | undefined {
  return workloads.find(({ activationAnnotation }) => Object.hasOwn(pod, activationAnnotation));
}

/** The known annotations that a pod and its containers may have: its handler's, and those of its workload. */
export function allowedAnnotations(
  handler: { readonly allowedAnnotations: readonly string[] },
  workload: Workload | undefined,
): readonly string[] {
  return [...handler.allowedAnnotations, ...(workload?.allowedAnnotations ?? [])];
}

/**
 * What a workload gives a container of a pod, by its name; `POD` is the infra container with its monitor. Undefined for a pod without a
 * workload. Rejects with Fault("invalid") for an annotation that cannot be understood.
 */
export function resourcesOfWorkload(
  workloads: readonly Workload[],
  pod: StringMap,
  containerName: string,
): WorkloadResources | undefined {
  const workload = workloadOf(workloads, pod);
  if (workload === undefined) return undefined;
  const annotation = `${workload.annotationPrefix}/${containerName}`;
  return workloadResources(workload.resources, Object.hasOwn(pod, annotation) ? pod[annotation] : undefined);
}
