/** Ctrl-C, once: the signal aborts, and what was made is put away. A second one ends the program at once. */
export class Interrupt {
  readonly #controller = new AbortController();
  readonly signal: AbortSignal = this.#controller.signal;

  constructor() {
    for (const name of ["SIGINT", "SIGTERM"] as const) {
      process.on(name, () => {
        if (this.signal.aborted) process.exit(130);
        process.stdout.write("\n");
        this.#controller.abort(new Error(`ended by ${name}`));
      });
    }
  }

  /** Resolves when it happens. */
  wait(): Promise<void> {
    const { signal } = this;
    return new Promise((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }
}
