import { untilAborted } from "../base/index.ts";
import { parseSignal } from "../runtime/index.ts";
import { type Container, isLive } from "../state/index.ts";
import type { ContainerDeps } from "./deps.ts";
import { noteExit } from "./note-exit.ts";

const sigterm = 15;

/**
 * Stops a container: its stop signal, `timeoutMs` of patience, then SIGKILL. Resolves when it has ended and its end is noted;
 * rejects when `signal` aborts first, and the stopping goes on. A container that has ended already is fine, and one that was never
 * started is killed at once: its program, which could heed the signal, does not run yet.
 */
export async function stopContainer(
  deps: ContainerDeps,
  container: Container,
  options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
): Promise<void> {
  await untilAborted(stopFully(deps, container, options.timeoutMs), options.signal);
}

async function stopFully(deps: ContainerDeps, container: Container, timeoutMs: number): Promise<void> {
  const { record, init, state } = container;
  if (!isLive(container) || init === undefined) return;
  const handler = deps.handlers.get(record.runtimeHandler);
  const stopSignal = parseSignal(record.stopSignal) ?? sigterm;
  const patienceMs = state.is === "created" ? 0 : timeoutMs;
  await deps.stopping.stop({ id: record.id, handler, init, stopSignal }, patienceMs);
  await noteExit(deps, record.id);
}
