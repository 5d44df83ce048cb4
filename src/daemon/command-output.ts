import type { Writable } from "node:stream";

/** The output of a command, on its way to the client. */
export class CommandOutput {
  #heldBack = 0;
  #onNews: () => void = () => {};

  /** Writes to the client, and resolves when it may have more; what goes wrong there is told by the session's end. */
  async write(to: Writable | undefined, chunk: Buffer): Promise<void> {
    this.#heldBack++;
    this.#onNews();
    await writeTo(to, chunk);
    this.#heldBack--;
    this.#onNews();
  }

  /**
   * Resolves once nothing has come from the command for `ms`, however long the client takes for what came before; or on abort. For
   * one caller at a time.
   */
  async silent(ms: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    let timer: NodeJS.Timeout | undefined;
    const look = () => {
      clearTimeout(timer);
      if (signal.aborted) resolve();
      else if (this.#heldBack === 0) timer = setTimeout(resolve, ms);
    };
    this.#onNews = look;
    signal.addEventListener("abort", look, { once: true });
    look();
    await promise;
    this.#onNews = () => {};
    signal.removeEventListener("abort", look);
  }
}

/** Resolves when there is room for more, or nobody to write to. */
export async function writeTo(to: Writable | undefined, chunk: Buffer): Promise<void> {
  if (to === undefined || to.destroyed) return;
  if (to.write(chunk)) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  to.once("drain", resolve);
  to.once("close", resolve);
  await promise;
  to.removeListener("drain", resolve);
  to.removeListener("close", resolve);
}
