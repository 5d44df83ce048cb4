import { skipGomaxprocsAnnotation } from "../oci/index.ts";
import type { RequestedResources } from "./resources.ts";

/** What decides about GOMAXPROCS. */
export interface GomaxprocsPlan {
  /** `min_injected_gomaxprocs`; 0 sets nothing. */
  readonly least: number;
  /** Of the pod: the kubelet's name for its quality of service is part of it. */
  readonly cgroupParent: string;
  readonly podAnnotations: Readonly<Record<string, string>>;
  readonly resources: Pick<RequestedResources, "cpuQuota" | "cpuShares"> | undefined;
  /** Of the container, as far as it is known. */
  readonly env: readonly string[];
}

/**
 * `GOMAXPROCS=n` for a container that may use all CPUs but was promised few (reference: annotations-and-features.md 16): Go before 1.25 would start
 * a thread for each of the node's. Nothing where the container has a CPU limit or says itself what it wants.
 */
export function injectedGomaxprocs(plan: GomaxprocsPlan): readonly string[] {
  const { least, cgroupParent, podAnnotations, resources, env } = plan;
  if (least <= 0 || !/burstable|besteffort/.test(cgroupParent)) return [];
  if (podAnnotations[skipGomaxprocsAnnotation] === "true" || (resources?.cpuQuota ?? 0n) > 0n) return [];
  if (env.some((entry) => entry.startsWith("GOMAXPROCS="))) return [];
  // Twice the CPUs that 1024 shares each stand for.
  const promised = Math.ceil((2 * Number(resources?.cpuShares ?? 0n)) / 1024);
  return [`GOMAXPROCS=${Math.max(promised, 1, least)}`];
}
