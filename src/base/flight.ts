/**
 * Many callers, one piece of work: whoever asks for a key that is being worked on gets the same promise.
 * The work goes on when a caller leaves; a caller's own deadline is the caller's affair.
 */
export class Flight<K, V> {
  readonly #going = new Map<K, Promise<V>>();

  /** Starts `work` for `key`, or joins the one under way. */
  join(key: K, work: () => Promise<V>): Promise<V> {
    const going = this.#going.get(key);
    if (going !== undefined) return going;
    const started = Promise.resolve()
      .then(work)
      .finally(() => this.#going.delete(key));
    this.#going.set(key, started);
    return started;
  }

  /** The work under way for `key`, if any. */
  get(key: K): Promise<V> | undefined {
    return this.#going.get(key);
  }

  /** How many keys are being worked on. */
  get size(): number {
    return this.#going.size;
  }
}
