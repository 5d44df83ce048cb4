import { Fault } from "../base/index.ts";
import type { PodMetadata } from "../state/index.ts";

/** `k8s_<pod>_<namespace>_<uid>_<attempt>`. Rejects metadata that leaves a part of it empty. */
export function podName(metadata: PodMetadata): string {
  const fail = (what: string) => {
    throw new Fault("invalid", `setting pod sandbox name and id: cannot generate pod name without ${what}`);
  };
  if (metadata.namespace === "") fail("namespace");
  if (metadata.name === "") fail("name in metadata");
  if (metadata.uid === "") fail("uid in metadata");
  return ["k8s", metadata.name, metadata.namespace, metadata.uid, String(metadata.attempt)].join("_");
}

/** `k8s_POD_<pod>_<namespace>_<uid>_<attempt>`: the name of the pod's infra container. */
export function infraName(metadata: PodMetadata): string {
  return ["k8s", "POD", metadata.name, metadata.namespace, metadata.uid, String(metadata.attempt)].join("_");
}
