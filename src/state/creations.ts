import { codeOf, currentStep, Fault, Flight, type Logger, reasonOf, type Step, untilAborted } from "../base/index.ts";

/** One creation under way: the words of its stage appear in the error of a caller who gave up. */
export interface Creation {
  readonly id: string;
  readonly name: string;
  stage: string;
}

class UnderWay implements Creation {
  readonly id: string;
  readonly name: string;
  callers = 0;
  #stage = "unknown";
  #step: Step | undefined;

  constructor(id: string, name: string) {
    this.id = id;
    this.name = name;
  }

  get stage(): string {
    return this.#stage;
  }

  set stage(words: string) {
    this.#stage = words;
    this.#step?.enterStage(words);
  }

  /** Its stages are those of the current step from now on. */
  begins(): void {
    this.#step = currentStep();
  }
}

export interface CreationsOptions {
  readonly what: "sandbox" | "container";
  readonly log: Logger;
  /** Told at which stage a creation is that a retry finds unfinished. */
  readonly onStalled?: (stage: string) => void;
  /** Removes what was created for callers who never came back. */
  readonly discard: (id: string) => Promise<void>;
}

const sweepMs = 60_000;

/**
 * Creations by name. A second caller joins the first one's work; a caller whose deadline passes leaves, and the work goes
 * on. What was finished with nobody left to tell is *unclaimed*: not listed, handed to the next caller who asks for the
 * name, and discarded when none does within one to two minutes (reference: CRI-O's resource store).
 */
export class Creations {
  readonly #options: CreationsOptions;
  readonly #flights: Flight<string, string>;
  readonly #going = new Map<string, UnderWay>();
  /** id of what nobody was told of → whether a sweep has seen it already. */
  readonly #unclaimed = new Map<string, { name: string; seen: boolean }>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: CreationsOptions) {
    this.#options = options;
    this.#flights = new Flight(`creating ${options.what}`);
    this.#timer = setInterval(() => void this.#sweep(), sweepMs);
    this.#timer.unref();
  }

  /** Whether `id` exists but has been told to nobody. */
  isUnclaimed(id: string): boolean {
    return this.#unclaimed.has(id);
  }

  /** The creations under way. */
  underWay(): readonly Creation[] {
    return [...this.#going.values()];
  }

  /** Takes an unclaimed result of `name`, which from now on is listed. */
  claim(name: string): string | undefined {
    for (const [id, entry] of this.#unclaimed) {
      if (entry.name !== name) continue;
      this.#unclaimed.delete(id);
      this.#options.log.info(`Found ${this.#options.what} ${name} with ID ${id} in resource cache; using it`);
      return id;
    }
    return undefined;
  }

  /**
   * Starts the creation of `name`, or joins the one under way, and resolves with the id.
   * When `signal` aborts first, rejects with a Fault that names the stage; the work goes on.
   */
  async run(
    name: string,
    id: string,
    work: (creation: Creation) => Promise<void>,
    signal?: AbortSignal,
  ): Promise<string> {
    const joined = this.#flights.get(name) !== undefined;
    const going = this.#going.get(name) ?? new UnderWay(id, name);
    if (joined) this.#options.onStalled?.(going.stage);
    currentStep()?.operation.isAbout(going.id, name);
    this.#going.set(name, going);
    going.callers += 1;
    try {
      return await untilAborted(
        this.#flights.join(name, () => this.#work(going, work)),
        signal,
      );
    } catch (error) {
      if (!this.#going.has(name)) throw error;
      const why = `Currently at stage ${going.stage}`;
      const retrying = joined
        ? "kubelet may be retrying requests that are timing out in CRI-O due to system load. "
        : "";
      throw new Fault(codeOf(error), `${retrying}${why}: ${reasonOf(error)}`, { cause: error });
    } finally {
      going.callers -= 1;
    }
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #work(going: UnderWay, work: (creation: Creation) => Promise<void>): Promise<string> {
    const { id, name } = going;
    try {
      going.begins();
      await work(going);
      if (going.callers === 0) this.#unclaimed.set(id, { name, seen: false });
      return id;
    } catch (error) {
      if (going.callers === 0) {
        this.#options.log.warn(`creating ${this.#options.what} failed after its caller had left`, {
          name,
          id,
          error: reasonOf(error),
        });
      }
      throw error;
    } finally {
      this.#going.delete(name);
    }
  }

  async #sweep(): Promise<void> {
    for (const [id, entry] of this.#unclaimed) {
      if (!entry.seen) {
        entry.seen = true;
        continue;
      }
      this.#unclaimed.delete(id);
      this.#options.log.info(`discarding a ${this.#options.what} that nobody came back for`, { id, name: entry.name });
      try {
        await this.#options.discard(id);
      } catch (error) {
        this.#options.log.error(`discarding ${this.#options.what} failed; it stays listed`, {
          id,
          error: reasonOf(error),
        });
      }
    }
  }
}
