import { Fault, reasonOf } from "../base/index.ts";
import type { Container } from "../state/index.ts";
import type { ContainerDeps } from "./deps.ts";

type FindDeps = Pick<ContainerDeps, "containers" | "creations">;

/**
 * The container whose id is, or alone begins with, `id`. Rejects with CRI-O's words: code `not-found` for a miss, `invalid`
 * for an empty id or an ambiguous prefix, `precondition` for a creation that nobody has been told of.
 */
export function findContainer(deps: FindDeps, id: string): Container {
  if (id === "") throw new Fault("invalid", "container ID should not be empty");
  let container: Container;
  try {
    container = deps.containers.find(id);
  } catch (error) {
    const code = error instanceof Fault ? error.code : "failed";
    throw new Fault(code, `container with ID starting with ${id.slice(0, 80)} not found: ${reasonOf(error)}`, {
      cause: error,
    });
  }
  if (deps.creations.isUnclaimed(container.record.id)) {
    throw new Fault("precondition", `specified container ID is not yet created: ${container.record.id}`);
  }
  return container;
}
