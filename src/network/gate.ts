import { untilAborted } from "../base/index.ts";

/** Many at once, or one alone: pods come and go together, garbage collection excludes them all. */
export class Gate {
  readonly #inside = new Set<Promise<void>>();
  #closed: Promise<void> | undefined;

  /** Runs `work` beside others of its kind. Rejects with the signal's reason when it aborts before that. */
  async shared<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    while (this.#closed !== undefined) await untilAborted(this.#closed, signal);
    // Nothing may be awaited between the look and the step inside.
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#inside.add(promise);
    try {
      return await work();
    } finally {
      this.#inside.delete(promise);
      resolve();
    }
  }

  /** Runs `work` when everybody has left, while nobody enters. Rejects with the signal's reason when it aborts before that. */
  async exclusive<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    while (this.#closed !== undefined) await untilAborted(this.#closed, signal);
    // Nothing may be awaited between the look and the step inside.
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#closed = promise;
    try {
      await untilAborted(Promise.all(this.#inside), signal);
      return await work();
    } finally {
      this.#closed = undefined;
      resolve();
    }
  }
}
