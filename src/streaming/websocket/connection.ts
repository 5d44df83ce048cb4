import type { WebSocket } from "ws";
import { Fault, withStep } from "../../base/index.ts";
import { Holding } from "../holding.ts";
import { IdleTimer } from "../idle-timer.ts";
import { limits } from "../limits.ts";
import { Channel } from "./channel.ts";
import { channelMessage, parseMessage } from "./messages.ts";
import type { ChannelProtocol } from "./protocols.ts";

export interface ChannelConnectionOptions {
  readonly protocol: ChannelProtocol;
  /** How many channels there are, numbered from 0. What a client sends on another one is ignored. */
  readonly channels: number;
  readonly idleTimeoutMs: number;
  /** How often a client from which nothing is being read is asked whether it is there. */
  readonly probeMs: number;
}

const normalClosure = 1000;
const protocolError = 1002;
const goingAway = 1001;

/** The server's side of a WebSocket connection that carries numbered channels. */
export class ChannelConnection {
  readonly channels: readonly Channel[];
  /** Resolves with the reason when the connection is over; never rejects. */
  readonly over: Promise<Fault>;
  readonly #socket: WebSocket;
  readonly #options: ChannelConnectionOptions;
  readonly #holding = new Holding(limits.connectionInboxBytes);
  readonly #idle: IdleTimer;
  readonly #closing = new AbortController();
  #unsentMessages = 0;

  constructor(socket: WebSocket, options: ChannelConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    const link = { holding: this.#holding, send: this.#send.bind(this) };
    this.channels = Array.from({ length: options.channels }, (_, number) => new Channel(link, number));
    this.#idle = new IdleTimer(options.idleTimeoutMs, () => {
      this.close(new Fault("deadline", `nothing was sent either way for ${options.idleTimeoutMs / 1000} s`));
    });
    const { promise, resolve } = Promise.withResolvers<Fault>();
    this.over = promise;
    socket.binaryType = "nodebuffer";
    socket.on("message", (message: Buffer) => this.#accept(message));
    socket.on("ping", (payload: Buffer) => this.#answerPing(payload));
    socket.on("error", (error) => this.close(withStep("WebSocket", error)));
    socket.on("close", () => {
      this.close(new Fault("cancelled", "the client closed the connection"));
      this.#idle.stop();
      resolve(this.signal.reason);
    });
  }

  /** Aborts with the reason when the connection is over. */
  get signal(): AbortSignal {
    return this.#closing.signal;
  }

  /** Closes after all that was written. Resolves when the client has closed its side too, or was given up on. */
  async finish(): Promise<void> {
    for (const channel of this.channels) channel.discardInput();
    // The library gives the client a fixed time from here on, which is meant for its answer, not for reading our data.
    while (this.#unsentMessages > 0 && !this.signal.aborted) await this.#holding.changed();
    this.#socket.close(normalClosure);
    await this.over;
  }

  /** Ends the connection now: every channel is destroyed with the reason. */
  close(reason: Fault): void {
    if (this.signal.aborted) return;
    this.#closing.abort(reason);
    for (const channel of this.channels) channel.destroy(reason);
    this.#socket.close(reason.code === "invalid" ? protocolError : goingAway, closeText(reason.message));
    this.#socket.resume();
    this.#holding.wake();
  }

  #accept(bytes: Buffer): void {
    this.#idle.touch();
    if (this.signal.aborted) return;
    try {
      const message = parseMessage(bytes, this.#options.protocol);
      if (message.is === "nothing") return;
      const channel = this.channels[message.channel];
      if (message.is === "close") channel?.acceptEnd();
      else if (message.bytes.length > 0) channel?.accept(message.bytes);
      if (channel?.isFull || this.#holding.isFull) void this.#pauseFor(channel);
    } catch (error) {
      this.close(withStep("WebSocket", error));
    }
  }

  /** Reads nothing more until the backend has read, asking the client from time to time whether it is still there. */
  async #pauseFor(channel: Channel | undefined): Promise<void> {
    if (this.#socket.isPaused) return;
    this.#socket.pause();
    const probe = setInterval(() => {
      if (this.#socket.bufferedAmount === 0) this.#socket.ping();
    }, this.#options.probeMs);
    while ((channel?.isFull || this.#holding.isFull) && !this.signal.aborted) await this.#holding.changed();
    clearInterval(probe);
    this.#socket.resume();
  }

  #send(channel: number, bytes: Buffer, done: (error?: Error | null) => void): void {
    this.#idle.touch();
    const message = channelMessage(channel, bytes, this.#options.protocol.encoding);
    const mustWait = this.#socket.bufferedAmount > limits.unsentBytes;
    this.#unsentMessages++;
    this.#socket.send(message, { binary: typeof message !== "string" }, (error) => {
      this.#unsentMessages--;
      this.#holding.wake();
      if (mustWait) done(error);
    });
    if (!mustWait) done();
  }

  /** A client that asks without reading the answers gets none. */
  #answerPing(payload: Buffer): void {
    this.#idle.touch();
    if (this.#socket.bufferedAmount < limits.unsentBytes) this.#socket.pong(payload);
  }
}

/** A close frame has room for 123 bytes (RFC 6455, 5.5). */
function closeText(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, "?").slice(0, 123);
}
