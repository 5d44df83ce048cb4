import { Fault } from "../base/index.ts";
import { type Attachment, attachToConmon, resizeTerminal } from "../runtime/index.ts";
import { type Container, isLive } from "../state/index.ts";
import type { ContainerDeps } from "./deps.ts";

/** A connection to a container's own streams. */
export interface ContainerAttachment extends Attachment {
  /** Sets the size of the container's terminal. */
  resize(size: { readonly height: number; readonly width: number }): Promise<void>;
}

/** Attaches to the streams of a container that runs or is about to. What it wrote before is in its log. */
export async function attachToContainer(
  deps: Pick<ContainerDeps, "options">,
  container: Container,
  signal?: AbortSignal,
): Promise<ContainerAttachment> {
  const { id, runDir } = container.record;
  if (!isLive(container))
    throw new Fault("not-found", `container is not created or running: ${id} is ${container.state.is}`);
  const attachment = await attachToConmon(deps.options.attachDir, id, signal);
  return { ...attachment, resize: (size) => resizeTerminal(runDir, size) };
}
