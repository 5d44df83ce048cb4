/** Calls back once nothing has happened for a while. Cheap to tell that something did. */
export class IdleTimer {
  readonly #timeoutMs: number;
  readonly #onIdle: () => void;
  #lastMs = performance.now();
  #timer: NodeJS.Timeout | undefined;

  /** `timeoutMs` 0 means never. */
  constructor(timeoutMs: number, onIdle: () => void) {
    this.#timeoutMs = timeoutMs;
    this.#onIdle = onIdle;
    if (timeoutMs > 0) this.#arm(timeoutMs);
  }

  /** Something happened. */
  touch(): void {
    this.#lastMs = performance.now();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #arm(delayMs: number): void {
    // Longer delays than this overflow Node's timers and would fire at once.
    this.#timer = setTimeout(() => this.#check(), Math.min(delayMs, 0x7fffffff)).unref();
  }

  #check(): void {
    const restMs = this.#lastMs + this.#timeoutMs - performance.now();
    if (restMs > 0) this.#arm(Math.ceil(restMs));
    else this.#onIdle();
  }
}
