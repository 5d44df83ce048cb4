import { type Clock, type Logger, reasonOf } from "../base/index.ts";
import type { ContainerRecord } from "../state/index.ts";

/** What a container has written to its root file system, as of some moment. */
export interface LayerUsage {
  readonly atNs: bigint;
  readonly bytes: bigint;
  readonly inodes: bigint;
}

export interface WritableLayersOptions {
  /** Walks the layer; slow, and not on this thread. */
  readonly measure: (id: string, signal: AbortSignal) => Promise<{ readonly bytes: bigint; readonly inodes: bigint }>;
  /** Whether the container is still one to be measured. */
  readonly isLive: (id: string) => boolean;
  readonly clock: Clock;
  readonly log: Logger;
  /** Milliseconds, monotonic; tests bring their own. */
  readonly nowMs?: () => number;
}

interface Known {
  usage: LayerUsage | undefined;
  measuredMs: number;
  /** When the next measurement may begin. */
  dueMs: number;
  going: Promise<void> | undefined;
  failed: boolean;
}

const freshMs = 10_000;
const tooOldMs = 60_000;
/** A layer that takes a second to walk is walked every ten seconds, one that takes a minute every ten minutes. */
const restPerWalk = 10;
const walksAtOnce = 2;

/**
 * How much containers have written. A measurement walks the layer, so no answer waits for one unless nothing recent is known:
 * what is asked for is answered from the last measurement, and when that is ten seconds old the next one begins in the background,
 * two at a time. Nothing is measured that nobody asks for, nor once the container has ended. What is known of a container goes
 * with its record.
 */
export class WritableLayers {
  readonly #options: WritableLayersOptions;
  readonly #nowMs: () => number;
  readonly #known = new WeakMap<ContainerRecord, Known>();
  readonly #stopped = new AbortController();
  readonly #waiting: (() => void)[] = [];
  #walking = 0;

  constructor(options: WritableLayersOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? (() => performance.now());
  }

  /**
   * The last measurement. When there is none of the last minute, waits for one, no longer than `patienceMs`; undefined when there
   * is none then. Never rejects.
   */
  async usage(record: ContainerRecord, patienceMs: number): Promise<LayerUsage | undefined> {
    const known = this.#knownOf(record);
    const nowMs = this.#nowMs();
    if (known.going === undefined && nowMs >= known.dueMs) this.#begin(record, known);
    const isRecent = known.usage !== undefined && nowMs - known.measuredMs < tooOldMs;
    if (!isRecent && known.going !== undefined && patienceMs > 0) await settledWithin(known.going, patienceMs);
    return known.usage;
  }

  /** Ends the measurements under way and begins no more. What is known is still answered. */
  stop(): void {
    this.#stopped.abort();
  }

  #knownOf(record: ContainerRecord): Known {
    const before = this.#known.get(record);
    if (before !== undefined) return before;
    const known: Known = { usage: undefined, measuredMs: 0, dueMs: this.#nowMs(), going: undefined, failed: false };
    this.#known.set(record, known);
    return known;
  }

  #begin(record: ContainerRecord, known: Known): void {
    known.going = this.#inTurn(() => this.#measure(record.id, known)).finally(() => {
      known.going = undefined;
    });
  }

  async #measure(id: string, known: Known): Promise<void> {
    const isWanted = () => !this.#stopped.signal.aborted && this.#options.isLive(id);
    if (!isWanted()) return;
    const startMs = this.#nowMs();
    try {
      const { bytes, inodes } = await this.#options.measure(id, this.#stopped.signal);
      known.usage = { atNs: this.#options.clock.nowNs(), bytes, inodes };
      known.measuredMs = this.#nowMs();
      known.failed = false;
    } catch (error) {
      if (isWanted() && !known.failed) {
        known.failed = true; // said once, until it works again
        this.#options.log.warn(
          "measuring a container's writable layer failed; its statistics go without or with the last figure",
          {
            containerID: id,
            error: reasonOf(error),
          },
        );
      }
    }
    const tookMs = this.#nowMs() - startMs;
    known.dueMs = this.#nowMs() + Math.max(freshMs, restPerWalk * tookMs);
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    if (this.#walking >= walksAtOnce) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#walking += 1;
    try {
      await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#walking -= 1;
      else next(); // hands its turn over
    }
  }
}

async function settledWithin(work: Promise<void>, timeoutMs: number): Promise<void> {
  const { promise: over, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, timeoutMs);
  try {
    await Promise.race([work, over]);
  } finally {
    clearTimeout(timer);
  }
}
