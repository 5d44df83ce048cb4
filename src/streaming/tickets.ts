import { randomBytes } from "node:crypto";
import { Fault } from "../base/index.ts";

export interface TicketOptions {
  /** Tickets that may wait at once. */
  readonly maxWaiting: number;
  /** Bytes that all waiting requests may have together. */
  readonly maxBytes: number;
  readonly ttlMs: number;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
}

interface Ticket<T> {
  readonly value: T;
  readonly sizeBytes: number;
  readonly expiresMs: number;
}

const tokenBytes = 6; // 8 characters of base64url

/** Requests that wait for their client, each under a token that is good once and for a while. */
export class Tickets<T> {
  readonly #options: TicketOptions;
  /** Oldest first: a Map keeps the order of insertion, and all live equally long. */
  readonly #waiting = new Map<string, Ticket<T>>();
  #bytes = 0;

  constructor(options: TicketOptions) {
    this.#options = options;
  }

  /** How many wait, those included that have expired and were not looked at since. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Keeps `value` and returns its token: 8 characters that are safe in a URL. Throws Fault("exhausted") when full. */
  issue(value: T, sizeBytes: number): string {
    this.#dropExpired();
    const { maxWaiting, maxBytes, now, ttlMs } = this.#options;
    if (this.#waiting.size >= maxWaiting || this.#bytes + sizeBytes > maxBytes) {
      throw new Fault("exhausted", "maximum number of in-flight requests exceeded");
    }
    let token: string;
    do token = randomBytes(tokenBytes).toString("base64url");
    while (this.#waiting.has(token));
    this.#waiting.set(token, { value, sizeBytes, expiresMs: now() + ttlMs });
    this.#bytes += sizeBytes;
    return token;
  }

  /** The value of `token`, which is used up by this; undefined when it was never good or no longer is. */
  redeem(token: string): T | undefined {
    this.#dropExpired();
    const ticket = this.#waiting.get(token);
    if (ticket === undefined) return undefined;
    this.#drop(token, ticket);
    return ticket.value;
  }

  #dropExpired(): void {
    const now = this.#options.now();
    for (const [token, ticket] of this.#waiting) {
      if (ticket.expiresMs > now) return;
      this.#drop(token, ticket);
    }
  }

  #drop(token: string, ticket: Ticket<T>): void {
    this.#waiting.delete(token);
    this.#bytes -= ticket.sizeBytes;
  }
}
