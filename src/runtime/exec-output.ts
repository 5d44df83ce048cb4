import { setTimeout as delay, setImmediate as turn } from "node:timers/promises";
import { Gathered } from "./gathered.ts";

/** Turns of the event loop without news after which a pipe is empty: what is in it is read in the first of them. */
const silentTurns = 3;
/** What nobody will see is read at this pace: no command keeps the daemon busy with it. */
const droppedPaceMs = 1;

/** What a command writes, kept up to a limit for both streams together; the rest is read and dropped, so that the command goes on. */
export class ExecOutput {
  readonly #streams = { stdout: new Gathered(), stderr: new Gathered() };
  #left: number;
  #open = 0;
  #pieces = 0;

  constructor(limitBytes: number) {
    this.#left = limitBytes;
  }

  get stdout(): Buffer {
    return this.#streams.stdout.bytes;
  }

  get stderr(): Buffer {
    return this.#streams.stderr.bytes;
  }

  /** Reads a stream from now on, to its end or until it is destroyed. */
  read(name: "stdout" | "stderr", from: AsyncIterable<Buffer>): void {
    this.#open++;
    void this.#readAll(this.#streams[name], from).finally(() => this.#open--);
  }

  /** After the command's end: resolves when what it has written is here. Others that hold its output open are not waited for. */
  async settled(): Promise<void> {
    for (let silent = 0; silent < silentTurns && this.#open > 0 && this.#left > 0; silent++) {
      const before = this.#pieces;
      await turn();
      if (this.#pieces !== before) silent = -1;
    }
  }

  async #readAll(into: Gathered, from: AsyncIterable<Buffer>): Promise<void> {
    try {
      for await (const piece of from) {
        this.#pieces++;
        const kept = piece.subarray(0, this.#left);
        this.#left -= kept.length;
        into.add(kept);
        if (this.#left === 0) await delay(droppedPaceMs);
      }
    } catch {
      // Destroyed, with the session: nobody waits for more.
    }
  }
}
