import { ClientStream } from "../client-stream.ts";
import type { Holding } from "../holding.ts";

/** What a channel asks of its connection. */
export interface ChannelLink {
  readonly holding: Holding;
  send(channel: number, bytes: Buffer, done: (error?: Error | null) => void): void;
}

/**
 * One of the numbered streams of a WebSocket connection. Its end cannot be told to the client: all of them end with the
 * connection.
 */
export class Channel extends ClientStream {
  readonly #link: ChannelLink;
  readonly #number: number;

  constructor(link: ChannelLink, number: number) {
    super(link.holding);
    this.#link = link;
    this.#number = number;
  }

  protected override send(bytes: Buffer, done: (error?: Error | null) => void): void {
    this.#link.send(this.#number, bytes, done);
  }
}
