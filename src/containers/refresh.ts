import { untilAborted } from "../base/index.ts";
import { isSameProcessNow } from "../host/index.ts";
import { type Container, isLive } from "../state/index.ts";
import type { ContainerDeps } from "./deps.ts";
import { noteExit } from "./note-exit.ts";

/** The container as it is now: when its process has ended and nobody has noted that yet, it is noted first. */
export async function refreshContainer(
  deps: ContainerDeps,
  container: Container,
  signal?: AbortSignal,
): Promise<Container> {
  const { init, record } = container;
  if (!isLive(container) || init === undefined) return container;
  if (isSameProcessNow(init.pid, init.startTime)) return container;
  await untilAborted(noteExit(deps, record.id), signal);
  return deps.containers.get(record.id) ?? container;
}
