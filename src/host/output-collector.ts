import type { Socket } from "node:net";

/** Gathers what comes out of a pipe, up to a limit; calls `onTooMuch` once when there is more. */
export class OutputCollector {
  /** Resolves when the pipe has ended or was destroyed. */
  readonly closed: Promise<void>;
  readonly #chunks: Buffer[] = [];
  #size = 0;

  constructor(source: Socket | undefined, maxBytes: number, onTooMuch: () => void) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    if (source === undefined) {
      resolve();
      return;
    }
    source.on("error", () => {}); // "close" follows
    source.on("close", () => resolve());
    source.on("data", (chunk: Buffer) => {
      this.#size += chunk.length;
      this.#chunks.push(chunk);
      if (this.#size <= maxBytes) return;
      source.destroy();
      onTooMuch();
    });
  }

  /** How many bytes have come. */
  get size(): number {
    return this.#size;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}
