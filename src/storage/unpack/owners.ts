import { Fault } from "../../base/index.ts";

/** The different ids that own something in a layer, for its record. */
export class Owners {
  readonly #seen = new Set<number>();
  readonly #limit: number;
  #last = -1;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Throws Fault("exhausted") beyond the limit: the record lists them all, and a hostile layer could name millions. */
  add(id: number): void {
    if (id === this.#last) return;
    this.#last = id;
    this.#seen.add(id);
    if (this.#seen.size > this.#limit) throw new Fault("exhausted", `more than ${this.#limit} different owners`);
  }

  /** In ascending order. */
  list(): readonly number[] {
    return [...this.#seen].sort((a, b) => a - b);
  }
}
