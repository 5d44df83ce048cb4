import { Fault } from "../../base/index.ts";
import { ClientStream } from "../client-stream.ts";
import type { Holding } from "../holding.ts";
import { type ResetStatus, resetStatus } from "./frame.ts";
import type { Headers } from "./headers.ts";

/** What a stream asks of its connection. */
export interface StreamLink {
  readonly holding: Holding;
  send(stream: SpdyStream, bytes: Buffer, done: () => void): void;
  finish(stream: SpdyStream): void;
  /** The backend read this much, or it was thrown away: the client may send as much again. */
  taken(stream: SpdyStream, bytes: number): void;
  /** The stream is gone; `status` when the client has to be told. */
  closed(stream: SpdyStream, status: ResetStatus | undefined): void;
}

/** A stream of a SPDY connection, opened by the client. Both sides end on their own; destroying it resets it. */
export class SpdyStream extends ClientStream {
  readonly id: number;
  readonly headers: Headers;
  readonly #link: StreamLink;
  #wasReset = false;

  constructor(link: StreamLink, id: number, headers: Headers) {
    super(link.holding);
    this.#link = link;
    this.id = id;
    this.headers = headers;
  }

  /** The client cut the stream off (RST_STREAM): the end of it, and no failure if it had all there was. */
  acceptReset(status: number): void {
    this.#wasReset = true;
    const hadAll = this.writableFinished && status === resetStatus.cancel;
    this.destroy(hadAll ? undefined : new Fault("cancelled", `the client reset the stream (status ${status})`));
  }

  protected override taken(bytes: number): void {
    if (!this.hasEnded) this.#link.taken(this, bytes);
  }

  protected override send(bytes: Buffer, done: () => void): void {
    this.#link.send(this, bytes, done);
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#link.finish(this);
    callback();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    super._destroy(error, (reason) => {
      const isOver = this.#wasReset || (this.hasEnded && this.writableFinished);
      const status = error === null ? resetStatus.cancel : resetStatus.internalError;
      this.#link.closed(this, isOver ? undefined : status);
      callback(reason);
    });
  }
}
