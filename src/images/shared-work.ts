import { beginStep, Fault, inStep, type Step, untilAborted, within } from "../base/index.ts";

interface Going<V> {
  readonly result: Promise<V>;
  readonly controller: AbortController;
  readonly step: Step | undefined;
  callers: number;
}

/** Work that several callers share, and that is stopped when the last of them has left. */
export class SharedWork<V> {
  readonly #going = new Map<string, Going<V>>();
  readonly #what: string;

  constructor(what: string) {
    this.#what = what;
  }

  /** Starts `work` for `key`, or joins the one under way, and waits for it as long as `signal` allows. */
  async join(key: string, work: (signal: AbortSignal) => Promise<V>, signal?: AbortSignal): Promise<V> {
    const joined = this.#going.get(key);
    const going = joined ?? this.#start(key, work);
    going.callers += 1;
    try {
      return await (joined?.step === undefined
        ? untilAborted(going.result, signal)
        : this.#wait(joined, joined.step, signal));
    } finally {
      going.callers -= 1;
      if (going.callers === 0) {
        // Whoever asks from now on starts anew; what is being stopped is no use to them.
        if (this.#going.get(key) === going) this.#going.delete(key);
        going.controller.abort(new Fault("cancelled", `nobody waits for this ${this.#what} any more`));
      }
    }
  }

  #wait({ result }: Going<V>, step: Step, signal: AbortSignal | undefined): Promise<V> {
    return inStep(`waiting for another call's ${this.#what}`, () => untilAborted(result, signal), {
      waitsFor: { is: "work", step },
    });
  }

  #start(key: string, work: (signal: AbortSignal) => Promise<V>): Going<V> {
    const controller = new AbortController();
    const step = beginStep(this.#what);
    const run = () => work(controller.signal);
    const result = Promise.resolve().then(() => (step === undefined ? run() : within(step, run)));
    const going: Going<V> = { result, controller, step, callers: 0 };
    this.#going.set(key, going);
    const forget = () => {
      if (this.#going.get(key) === going) this.#going.delete(key);
    };
    result.then(forget, forget);
    return going;
  }
}
