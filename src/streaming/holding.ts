/** What all streams of one connection hold unread, and a way to wait until some of it is taken. */
export class Holding {
  readonly #limit: number;
  #held = 0;
  #taken: PromiseWithResolvers<void> | undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get isFull(): boolean {
    return this.#held >= this.#limit;
  }

  add(cost: number): void {
    this.#held += cost;
  }

  release(cost: number): void {
    this.#held -= cost;
    this.wake();
  }

  /** Resolves at the next `release` or `wake`. */
  changed(): Promise<void> {
    this.#taken ??= Promise.withResolvers<void>();
    return this.#taken.promise;
  }

  wake(): void {
    this.#taken?.resolve();
    this.#taken = undefined;
  }
}
