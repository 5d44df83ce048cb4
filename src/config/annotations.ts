import { featureAnnotation } from "../oci/index.ts";

/**
 * The annotations that `allowed_annotations` may list: those that change how a pod is run, under their names and their older
 * names, and those that OCI runtimes read. A pod's annotation that begins with one of these is removed unless its handler or
 * workload allows exactly that entry.
 */
export const knownAnnotations: readonly string[] = [
  ...Object.values(featureAnnotation).flatMap(({ name, older }) => (older === undefined ? [name] : [name, older])),
  "bundle",
  "io.kubernetes.cri.container-type",
  "io.kubernetes.cri.rdt-class",
  "module.wasm.image/variant",
  "org.criu.config",
  "org.systemd.property.",
  "run.oci.",
];

/** What is wrong with a list of allowed annotations, or undefined. */
export function annotationsProblem(names: readonly string[]): string | undefined {
  const unknown = names.find((name) => !knownAnnotations.includes(name));
  return unknown === undefined ? undefined : `invalid allowed_annotation: ${unknown}`;
}
