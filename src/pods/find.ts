import { Fault, reasonOf } from "../base/index.ts";
import type { Pod } from "../state/index.ts";
import type { PodDeps } from "./deps.ts";

type FindDeps = Pick<PodDeps, "pods" | "podCreations">;

/**
 * The pod whose id is, or alone begins with, `id`. Rejects with CRI-O's words: code `not-found` for a miss, `invalid` for an
 * empty id or an ambiguous prefix, `precondition` for a creation that nobody has been told of.
 */
export function findPod(deps: FindDeps, id: string): Pod {
  if (id === "") throw new Fault("invalid", "PodSandboxId should not be empty");
  let pod: Pod;
  try {
    pod = deps.pods.find(id);
  } catch (error) {
    const code = error instanceof Fault ? error.code : "failed";
    throw new Fault(code, `PodSandbox with ID starting with ${id.slice(0, 80)} not found: ${reasonOf(error)}`, {
      cause: error,
    });
  }
  if (deps.podCreations.isUnclaimed(pod.record.id)) throw new Fault("precondition", "sandbox not created");
  return pod;
}
