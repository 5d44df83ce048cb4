import { currentStep, inStep, type Step } from "./steps.ts";

/**
 * One lock per key, first come first served. A waiter whose signal aborts leaves the queue.
 * A key costs nothing while nobody holds or awaits it.
 */
export class KeyedLock<K> {
  readonly #tails = new Map<K, Promise<void>>();
  readonly #holders = new Map<K, Step>();
  readonly #what: string;

  /** `what` says what is locked, for those who ask why somebody waits: `"pod"`. */
  constructor(what = "what is locked") {
    this.#what = what;
  }

  /** Runs `work` while holding the lock of `key`. Rejects with the signal's reason when it aborts before the lock is held. */
  async with<T>(key: K, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const before = this.#tails.get(key);
    const { promise: done, resolve: release } = Promise.withResolvers<void>();
    const tail = before === undefined ? done : before.then(() => done);
    this.#tails.set(key, tail);
    void tail.then(() => {
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    });
    try {
      signal?.throwIfAborted();
      if (before !== undefined) await this.#turn(key, before, signal);
      const holder = currentStep();
      if (holder !== undefined) this.#holders.set(key, holder);
      return await work().finally(() => this.#holders.delete(key));
    } finally {
      release();
    }
  }

  async #turn(key: K, before: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
    const what = `${this.#what} ${key}`;
    const holder = () => {
      const step = this.#holders.get(key);
      return step === undefined ? ({ is: "unknown" } as const) : ({ is: "step", step } as const);
    };
    await inStep(`waiting for the lock of ${what}`, () => turnOf(before, signal), {
      waitsFor: { is: "lock", what, holder },
    });
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
