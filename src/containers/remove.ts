import type { Container } from "../state/index.ts";
import type { ContainerDeps } from "./deps.ts";
import { releaseContainer } from "./release.ts";
import { stopContainer } from "./stop.ts";

/**
 * Removes a container, stopping it first if need be with `timeoutMs` of patience. Its log stays. Rejects when something it holds
 * cannot be given back; it is then still there, and the next removal goes on from there.
 */
export async function removeContainer(
  deps: ContainerDeps,
  container: Container,
  options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
): Promise<void> {
  await stopContainer(deps, container, options);
  await deps.containerLocks.with(container.record.id, async () => {
    const now = deps.containers.get(container.record.id);
    if (now !== undefined) await releaseContainer(deps, now);
  });
}
