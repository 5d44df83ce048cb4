import { beginStep, type Step, within } from "./steps.ts";

/**
 * Many callers, one piece of work: whoever asks for a key that is being worked on gets the same promise.
 * The work goes on when a caller leaves; a caller's own deadline is the caller's affair.
 */
export class Flight<K, V> {
  readonly #going = new Map<K, Promise<V>>();
  readonly #steps = new Map<K, Step>();
  readonly #what: string | undefined;

  /** `what` says what is worked on, for those who ask why somebody waits: `"stopping pod"`. */
  constructor(what?: string) {
    this.#what = what;
  }

  /** Starts `work` for `key`, or joins the one under way. */
  join(key: K, work: () => Promise<V>): Promise<V> {
    const going = this.#going.get(key);
    if (going !== undefined) return this.#waitFor(key, going);
    const step = this.#what === undefined ? undefined : beginStep(`${this.#what} ${key}`);
    if (step !== undefined) this.#steps.set(key, step);
    const started = Promise.resolve()
      .then(() => (step === undefined ? work() : within(step, work)))
      .finally(() => {
        this.#going.delete(key);
        this.#steps.delete(key);
      });
    this.#going.set(key, started);
    return started;
  }

  #waitFor(key: K, going: Promise<V>): Promise<V> {
    const step = this.#steps.get(key);
    const waiting = step === undefined ? undefined : beginStep(`waiting for another call's work`, joined(step));
    if (waiting === undefined) return going;
    const ended = () => waiting.end();
    going.then(ended, ended);
    return going;
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

function joined(step: Step) {
  return { waitsFor: { is: "work", step } } as const;
}
