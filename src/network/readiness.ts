import { setTimeout as sleep } from "node:timers/promises";
import { Fault, inStep, type Logger, reasonOf, untilAborted } from "../base/index.ts";
import { isReady, nextLookMs, nextReadiness, type ReadinessState } from "./readiness-state.ts";

export type NetworkStatus = { readonly is: "ready" } | { readonly is: "not-ready"; readonly why: string };

export interface ReadinessOptions {
  /** Rejects with the reason when pods cannot be attached now. */
  readonly look: (signal: AbortSignal) => Promise<void>;
  /** `cni_status_grace_period`, in milliseconds. */
  readonly graceMs: number;
  readonly log: Logger;
  /** Monotonic, in milliseconds. */
  readonly nowMs?: () => number;
}

/**
 * Looks whether the network is ready, as often as `nextLookMs` says, and remembers it:
 * asking costs nothing, and whoever waits is told.
 */
export class Readiness {
  readonly #options: ReadinessOptions;
  readonly #stopping = new AbortController();
  #state: ReadinessState = { is: "waiting", why: "the CNI configuration has not been read yet" };
  #turn = Promise.withResolvers<void>();
  #hurry = new AbortController();
  #loop: Promise<void> | undefined;

  constructor(options: ReadinessOptions) {
    this.#options = options;
  }

  /** From memory, without I/O. */
  get status(): NetworkStatus {
    if (isReady(this.#state)) return { is: "ready" };
    return { is: "not-ready", why: "why" in this.#state ? this.#state.why : "" };
  }

  /** Resolves when it is ready, at once if it is. Rejects with the signal's reason, or with Fault("unavailable") once stopped. */
  async whenReady(signal: AbortSignal | undefined): Promise<void> {
    if (isReady(this.#state)) return;
    const why = () => ("why" in this.#state ? this.#state.why : "");
    await inStep("waiting for the network plugins", () => this.#untilReady(signal), {
      waitsFor: { is: "condition", what: "the network to be ready", why },
    });
  }

  async #untilReady(signal: AbortSignal | undefined): Promise<void> {
    while (!isReady(this.#state)) {
      if (this.#stopping.signal.aborted) throw this.#stopping.signal.reason;
      await untilAborted(this.#turn.promise, signal);
    }
  }

  /** Begins to look. Resolves after the first look. */
  async start(): Promise<void> {
    await this.#look();
    this.#loop = this.#keepLooking();
  }

  /** Looks at the next opportunity instead of waiting for its time: something has changed. */
  hurry(): void {
    this.#hurry.abort();
  }

  /** Ends looking, and the wait of those who still wait. */
  async stop(): Promise<void> {
    const status = this.status;
    const why = status.is === "not-ready" ? `: ${status.why}` : "";
    this.#stopping.abort(new Fault("unavailable", `server shutdown before CNI plugin was ready${why}`));
    this.#hurry.abort();
    this.#tell();
    await this.#loop;
  }

  async #keepLooking(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const pauseMs = nextLookMs(this.#state, this.#options.graceMs);
      if (pauseMs === undefined) return;
      this.#hurry = new AbortController();
      await sleep(pauseMs, undefined, { signal: AbortSignal.any([signal, this.#hurry.signal]), ref: false }).catch(
        () => {},
      );
      if (!signal.aborted) await this.#look();
    }
  }

  async #look(): Promise<void> {
    const why = await this.#options.look(this.#stopping.signal).then(() => undefined, reasonOf);
    if (this.#stopping.signal.aborted) return;
    const atMs = (this.#options.nowMs ?? (() => performance.now()))();
    const before = this.#state;
    this.#state = nextReadiness(before, { why, atMs }, this.#options.graceMs);
    this.#report(before);
    this.#tell();
  }

  #report(before: ReadinessState): void {
    const state = this.#state;
    if (state.is === before.is) return;
    if (state.is === "ready") this.#options.log.info("CNI network is ready");
    else
      this.#options.log.warn(
        state.is === "lost" ? "CNI network is no longer ready" : "CNI network does not answer well",
        {
          reason: state.why,
        },
      );
  }

  /** Wakes everybody who waits, to look at the state again. */
  #tell(): void {
    this.#turn.resolve();
    this.#turn = Promise.withResolvers<void>();
  }
}
