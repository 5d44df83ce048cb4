/**
 * One lock per key, first come first served. A waiter whose signal aborts leaves the queue.
 * A key costs nothing while nobody holds or awaits it.
 */
export class KeyedLock<K> {
  readonly #tails = new Map<K, Promise<void>>();

  /** Runs `work` while holding the lock of `key`. Rejects with the signal's reason when it aborts before the lock is held. */
  async with<T>(key: K, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const before = this.#tails.get(key) ?? Promise.resolve();
    const { promise: done, resolve: release } = Promise.withResolvers<void>();
    const tail = before.then(() => done);
    this.#tails.set(key, tail);
    void tail.then(() => {
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    });
    try {
      await turnOf(before, signal);
      return await work();
    } finally {
      release();
    }
  }

  /** Whether somebody holds or awaits the lock of `key`. */
  isBusy(key: K): boolean {
    return this.#tails.has(key);
  }
}

async function turnOf(before: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return before;
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([before, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
