interface Waiter {
  readonly mode: "read" | "write";
  readonly admit: () => void;
}

/**
 * Many readers or one writer, first come first served: a reader that comes after a waiting writer waits for it, so that
 * writers are not starved.
 */
export class ReadWriteQueue {
  #readers = 0;
  #writing = false;
  #waiting: Waiter[] = [];

  /** Resolves, once it is the caller's turn, with the way to leave. Rejects with the signal's reason when that comes first. */
  async enter(mode: "read" | "write", signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#waiting.length > 0 || !this.#mayEnter(mode)) await this.#wait(mode, signal);
    else this.#count(mode, 1);
    return () => {
      this.#count(mode, -1);
      this.#admit();
    };
  }

  /** Whether nobody is in or waits. */
  get isIdle(): boolean {
    return this.#readers === 0 && !this.#writing && this.#waiting.length === 0;
  }

  async #wait(mode: "read" | "write", signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = { mode, admit: resolve };
    const onAbort = () => {
      const before = this.#waiting.length;
      this.#waiting = this.#waiting.filter((other) => other !== waiter);
      if (this.#waiting.length === before) return; // it has just been admitted: the caller is in
      reject(signal.reason);
      this.#admit(); // those behind a writer that gave up
    };
    signal.addEventListener("abort", onAbort, { once: true });
    this.#waiting.push(waiter);
    try {
      await promise;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  #admit(): void {
    for (let first = this.#waiting[0]; first !== undefined && this.#mayEnter(first.mode); first = this.#waiting[0]) {
      this.#waiting.shift();
      this.#count(first.mode, 1);
      first.admit();
    }
  }

  #mayEnter(mode: "read" | "write"): boolean {
    return !this.#writing && (mode === "read" || this.#readers === 0);
  }

  #count(mode: "read" | "write", change: 1 | -1): void {
    if (mode === "read") this.#readers += change;
    else this.#writing = change === 1;
  }
}
