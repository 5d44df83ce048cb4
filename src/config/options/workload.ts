import { annotationsProblem } from "../annotations.ts";
import { parseCpuset } from "../cpuset.ts";
import { int64, list, parses, type Section, type SectionValues, text, uint64 } from "../option.ts";

/** `[crio.runtime.workloads.NAME]`: resources for containers of pods that carry an annotation. */
export const workloadOptions = {
  activation_annotation: text("", {
    check: (value) =>
      value === "" ? "annotation shouldn't be empty for a workload: set activation_annotation" : undefined,
    doc: "The annotation that puts a pod into this workload; its value does not matter. Required.",
  }),
  annotation_prefix: text("", {
    doc: `Prefix of the annotations by which a pod sets resources of one container, as
      "<prefix>/<container>" = '{"cpushares": 512}'.`,
  }),
  allowed_annotations: list([], {
    check: annotationsProblem,
    doc: "Annotations that pods of this workload may use besides those their runtime handler allows.",
  }),
} satisfies Section;

/** `[crio.runtime.workloads.NAME.resources]`: what containers get when the pod's annotations say nothing else. */
export const resourceOptions = {
  cpushares: uint64(0n, { doc: "CPU weight in shares. Zero sets nothing." }),
  cpuquota: int64(0n, { doc: "CPU time in microseconds per period. Zero sets nothing; not less than cpushares." }),
  cpuperiod: uint64(0n, {
    check: (period) =>
      period > 0n && period < 1000n ? "cpuperiod must be zero or at least 1000 microseconds" : undefined,
    doc: "Length of a CPU period in microseconds, at least 1000. Zero sets nothing.",
  }),
  cpuset: text("", { check: parses(parseCpuset), doc: `CPUs, as a list such as "0-3,8". Empty sets nothing.` }),
  cpulimit: int64(0n, { doc: "CPU limit in thousandths of a CPU, an alternative to cpuquota. Zero sets nothing." }),
} satisfies Section;

/** The resources of a workload as configured. */
export type WorkloadResources = SectionValues<typeof resourceOptions>;

/** A workload as configured. `resources` is undefined when the file has no such table. */
export type Workload = SectionValues<typeof workloadOptions> & { readonly resources: WorkloadResources | undefined };
