import type { Logger } from "../base/index.ts";
import { StopLoop, type StopTarget } from "../runtime/index.ts";

/** The patience with a container that leaves time, of `totalMs` for the whole call, to kill it and to answer. */
export function patienceWithin(totalMs: number): number {
  return totalMs < 2_000 ? totalMs / 2 : totalMs - 1_000;
}

/** The containers that are being stopped. A second caller joins the first one's loop, and may only shorten its patience. */
export class Stopping {
  readonly #loops = new Map<string, StopLoop>();
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Resolves when the container's process is gone; the stopping goes on when the caller does not wait for that. */
  stop(target: StopTarget, timeoutMs: number): Promise<void> {
    const going = this.#loops.get(target.id);
    if (going !== undefined) {
      going.shorten(timeoutMs);
      return going.done;
    }
    const loop = new StopLoop(target, timeoutMs, this.#log);
    this.#loops.set(target.id, loop);
    return loop.done.finally(() => this.#loops.delete(target.id));
  }

  /** Whether a container is being stopped; nothing new is started in it then. */
  isStopping(id: string): boolean {
    return this.#loops.has(id);
  }
}
