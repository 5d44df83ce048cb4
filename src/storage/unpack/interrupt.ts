/**
 * Something that may end a series of waits. Unlike racing each wait against one long-lived promise, it leaves nothing
 * behind after each of them, however many there are.
 */
export class Interrupt {
  #raised: { readonly error: unknown } | undefined;
  #reject: ((error: unknown) => void) | undefined;

  /** Ends the wait under way, and all to come, with `error`. The first one counts. */
  raise(error: unknown): void {
    if (this.#raised !== undefined) return;
    this.#raised = { error };
    this.#reject?.(error);
  }

  /** Waits for `work`, or rejects when interrupted; `work` then goes on unwatched. One wait at a time. */
  async wait<T>(work: Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    work.then(resolve, reject);
    this.#reject = reject;
    if (this.#raised !== undefined) reject(this.#raised.error);
    try {
      return await promise;
    } finally {
      this.#reject = undefined;
    }
  }
}
