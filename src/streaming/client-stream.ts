import { Duplex } from "node:stream";
import type { Holding } from "./holding.ts";
import { Inbox } from "./inbox.ts";
import { limits } from "./limits.ts";
import { turn } from "./turn.ts";

/**
 * One of the streams that a client multiplexes over its connection. What arrives is kept, in bounds, until it is read;
 * the connection stops reading from the client while `isFull`. Errors need no listener: the session's signal tells.
 */
export abstract class ClientStream extends Duplex {
  readonly #holding: Holding;
  readonly #inbox = new Inbox();
  #wanted = false;
  #hasEnded = false;
  #discards = false;

  constructor(holding: Holding) {
    super({
      allowHalfOpen: true,
      readableHighWaterMark: limits.outboxBytes,
      writableHighWaterMark: limits.outboxBytes,
    });
    this.#holding = holding;
    this.on("error", () => {});
  }

  /** Whether nothing more should be read from the client before something is taken out of here. */
  get isFull(): boolean {
    return this.#inbox.cost >= limits.inboxBytes;
  }

  /** Whether the client ended its side. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Bytes from the client. */
  accept(bytes: Buffer): void {
    if (this.destroyed || this.#discards || this.#hasEnded) {
      this.taken(bytes.length);
    } else {
      this.#holding.add(this.#inbox.add(bytes));
      this.#deliver();
    }
  }

  /** The client's end of this stream. */
  acceptEnd(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#deliver();
  }

  /** What is here and what comes is thrown away; the end still counts. */
  discardInput(): void {
    if (this.#discards) return;
    this.#discards = true;
    this.#holding.release(this.#inbox.clear());
    this.resume();
    this.#deliver();
  }

  /** Told how many bytes left the inbox, read or thrown away. */
  protected taken(_bytes: number): void {}

  /** Sends bytes to the client; `done` once more may come. */
  protected abstract send(bytes: Buffer, done: (error?: Error | null) => void): void;

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.send(chunk, (error) => {
      if (error) callback(error);
      else turn.pay(chunk.length, callback);
    });
  }

  override _read(): void {
    this.#wanted = true;
    this.#deliver();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#holding.release(this.#inbox.clear());
    callback(error);
  }

  #deliver(): void {
    while (this.#wanted && !this.destroyed) {
      const taken = this.#inbox.take();
      if (taken === undefined) break;
      this.#wanted = this.push(taken.bytes);
      this.taken(taken.bytes.length);
      this.#holding.release(taken.cost);
    }
    if (this.#hasEnded && this.#inbox.isEmpty && this.#wanted) {
      this.#wanted = false;
      this.push(null);
    }
  }
}
