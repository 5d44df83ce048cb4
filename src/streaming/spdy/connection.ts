import type { Duplex } from "node:stream";
import { Fault, isFault, reasonOf, withStep } from "../../base/index.ts";
import { Holding } from "../holding.ts";
import { IdleTimer } from "../idle-timer.ts";
import { limits } from "../limits.ts";
import { turn } from "../turn.ts";
import { ControlAllowance } from "./control-allowance.ts";
import {
  defaultWindow,
  flag,
  frameType,
  goAwayFrame,
  goAwayStatus,
  maxStreamId,
  maxWindow,
  pingFrame,
  type ResetStatus,
  resetStatus,
  rstStreamFrame,
  settingId,
  settingsFrame,
  synReplyFrame,
  windowUpdateFrame,
} from "./frame.ts";
import { type Frame, FrameReader } from "./frame-reader.ts";
import { HeaderDeflater, HeaderInflater, parseHeaderBlock } from "./headers.ts";
import { Outbox } from "./outbox.ts";
import { SpdyStream } from "./stream.ts";

export interface SpdyOptions {
  /** Without a frame either way for this long the connection ends. 0: never. */
  readonly idleTimeoutMs: number;
  /** Streams that may be open at once; more are refused. */
  readonly maxStreams: number;
  /** Told of each stream that the client opens. What it throws refuses the stream. It must not write before it returns. */
  readonly onStream: (stream: SpdyStream) => void;
  /** How often a client from which nothing is being read is asked whether it is there. */
  readonly probeMs: number;
}

const probeId = 2; // pings of a server have even ids

/**
 * The server's side of a SPDY/3.1 connection over any byte stream: framing, header compression, flow control, limits.
 * It begins at once. While the backend does not read a stream and its inbox is full, nothing is read from the client.
 */
export class SpdyConnection {
  /** Resolves with the reason when the connection is over; never rejects. */
  readonly over: Promise<Fault>;
  readonly #io: Duplex;
  readonly #options: SpdyOptions;
  readonly #reader = new FrameReader(limits.controlFrameBytes);
  readonly #inflater = new HeaderInflater(limits.headerBlockBytes);
  readonly #deflater = new HeaderDeflater();
  readonly #outbox: Outbox;
  readonly #holding = new Holding(limits.connectionInboxBytes);
  readonly #streams = new Map<number, SpdyStream>();
  readonly #credit = new Map<number, number>();
  readonly #allowance = new ControlAllowance();
  readonly #idle: IdleTimer;
  readonly #closing = new AbortController();
  #lastStreamId = 0;
  #discardedBytes = 0;
  #isFinishing = false;
  #linger: NodeJS.Timeout | undefined;

  constructor(io: Duplex, options: SpdyOptions) {
    this.#io = io;
    this.#options = options;
    this.#outbox = new Outbox(io);
    this.#idle = new IdleTimer(options.idleTimeoutMs, () => {
      this.close(new Fault("deadline", `nothing was sent either way for ${options.idleTimeoutMs / 1000} s`));
    });
    io.on("error", () => {}); // the loop that reads is told too
    io.on("drain", () => this.#holding.wake());
    io.on("finish", () => this.#holding.wake());
    io.on("close", () => this.#holding.wake());
    this.over = this.#serve();
  }

  /** Aborts with the reason when the connection is over. */
  get signal(): AbortSignal {
    return this.#closing.signal;
  }

  /** Says goodbye after all that was written, gives the client a moment to read it, and closes. Resolves when that is done. */
  async finish(): Promise<void> {
    if (!this.#isFinishing && !this.signal.aborted) {
      this.#isFinishing = true;
      this.#outbox.control(goAwayFrame(this.#lastStreamId, goAwayStatus.ok));
      this.#io.end(() => this.#startLinger());
    }
    await this.over;
  }

  /** Ends the connection now: every stream is destroyed with the reason, and the client told as far as it listens. */
  close(reason: Fault): void {
    if (this.signal.aborted) return;
    const status = reason.code === "invalid" ? goAwayStatus.protocolError : goAwayStatus.ok;
    this.#closing.abort(reason);
    this.#outbox.control(goAwayFrame(this.#lastStreamId, status));
    this.#io.end();
    this.#startLinger();
    for (const stream of [...this.#streams.values()]) stream.destroy(reason);
    this.#holding.wake();
  }

  /**
   * Until the client has closed its side as well, what it sends is read: unread bytes would make the kernel reset the
   * connection, and the client lose what it has not read yet.
   */
  #startLinger(): void {
    this.#linger ??= setTimeout(() => this.#io.destroy(), limits.lingerMs).unref();
  }

  async #serve(): Promise<Fault> {
    this.#outbox.control(
      settingsFrame([
        [settingId.maxConcurrentStreams, this.#options.maxStreams],
        [settingId.initialWindowSize, limits.inboxBytes],
      ]),
    );
    // TCP holds the client back on the connection as a whole, so that SPDY's window for it is as large as windows can be.
    this.#outbox.control(windowUpdateFrame(0, maxWindow - defaultWindow));
    try {
      // Without the option the loop would destroy the connection at the client's end, with what it has still to get.
      for await (const chunk of this.#io.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        this.#idle.touch();
        if (this.#isFinishing || this.signal.aborted) {
          this.#discard(chunk.length);
          continue;
        }
        this.#reader.add(chunk);
        await this.#readFrames().catch((error) => this.close(withStep("SPDY", error)));
      }
      if (this.#isFinishing) await this.#allSent();
      this.close(new Fault("cancelled", "the client closed the connection"));
    } catch (error) {
      this.close(new Fault("cancelled", `the connection to the client was lost: ${reasonOf(error)}`, { cause: error }));
    } finally {
      clearTimeout(this.#linger);
      this.#idle.stop();
      this.#inflater.close();
      this.#io.destroy();
    }
    return this.signal.reason;
  }

  /** A client that broke the rules is not listened to for as long as it likes. */
  #discard(bytes: number): void {
    this.#discardedBytes += bytes;
    const brokeRules = isFault(this.signal.reason, "invalid");
    if (brokeRules && this.#discardedBytes > limits.lastBytes) this.#io.destroy();
  }

  async #readFrames(): Promise<void> {
    for (let frame = this.#reader.next(); frame !== undefined; frame = this.#reader.next()) {
      const wait = turn.paid(frame.is === "data" ? frame.bytes.length : frame.payload.length);
      if (wait !== undefined) await wait;
      if (frame.is === "data") {
        const stream = this.#acceptData(frame);
        if (stream?.isFull || this.#holding.isFull) await this.#roomIn(stream);
      } else {
        // Every control frame may have an answer, and a client that does not read must not make them pile up.
        if (this.#io.writableLength > limits.unsentBytes) await this.#answersSent();
        await this.#acceptControl(frame.type, frame.flags, frame.payload);
      }
      if (this.#isFinishing || this.signal.aborted) return;
    }
  }

  #acceptData({ streamId, bytes, fin }: Frame & { readonly is: "data" }): SpdyStream | undefined {
    const stream = this.#streams.get(streamId);
    if (stream === undefined) {
      // A stream that was closed here while the client was sending is common; one that never was is an error.
      if (streamId === 0 || streamId > this.#lastStreamId) this.#answerReset(streamId, resetStatus.invalidStream);
      return undefined;
    }
    if (stream.hasEnded) {
      this.#answerReset(streamId, resetStatus.streamAlreadyClosed);
      return undefined;
    }
    if (bytes.length > 0) stream.accept(bytes);
    else if (!fin) this.#spendAllowance();
    if (fin) stream.acceptEnd();
    return stream;
  }

  /** Waits until the backend has read, asking the client from time to time whether it is still there: a full socket hides its end. */
  async #roomIn(stream: SpdyStream | undefined): Promise<void> {
    const probe = setInterval(() => {
      if (this.#io.writableLength === 0) this.#outbox.control(pingFrame(probeId));
    }, this.#options.probeMs);
    try {
      while ((stream?.isFull || this.#holding.isFull) && !this.#io.destroyed && !this.signal.aborted) {
        await this.#holding.changed();
      }
    } finally {
      clearInterval(probe);
    }
  }

  /** A client may close its side before it has read all of ours. */
  async #allSent(): Promise<void> {
    while (!this.#io.writableFinished && !this.#io.destroyed) await this.#holding.changed();
  }

  async #answersSent(): Promise<void> {
    while (this.#io.writableLength > limits.unsentBytes && !this.#io.destroyed && !this.signal.aborted) {
      await this.#holding.changed();
    }
  }

  async #acceptControl(type: number, flags: number, payload: Buffer): Promise<void> {
    switch (type) {
      case frameType.synStream:
        return await this.#acceptStream(flags, payload);
      case frameType.headers: // none of our clients sends any, but they share the compression with the other blocks
        this.#spendAllowance();
        need(payload, 4, "HEADERS");
        parseHeaderBlock(await this.#inflater.inflate(payload.subarray(4)), limits.headers);
        if ((flags & flag.fin) !== 0) this.#streams.get(payload.readUInt32BE(0))?.acceptEnd();
        return;
      case frameType.rstStream:
        return this.#acceptReset(payload);
      case frameType.settings:
        return this.#acceptSettings(payload);
      case frameType.ping:
        return this.#acceptPing(payload);
      case frameType.windowUpdate:
        return this.#acceptWindowUpdate(payload);
      default: // GOAWAY: streams that are open go on; and what we do not know (draft 3, 2.2.1)
        this.#spendAllowance();
    }
  }

  async #acceptStream(flags: number, payload: Buffer): Promise<void> {
    need(payload, 10, "SYN_STREAM");
    const id = payload.readUInt32BE(0);
    const headers = parseHeaderBlock(await this.#inflater.inflate(payload.subarray(10)), limits.headers);
    if (this.#isFinishing || this.signal.aborted) return;
    if (id % 2 === 0 || id <= this.#lastStreamId || id > maxStreamId) {
      throw new Fault("invalid", `stream ${id} after stream ${this.#lastStreamId}`);
    }
    this.#lastStreamId = id;
    if (this.#streams.size >= this.#options.maxStreams || (flags & flag.unidirectional) !== 0) {
      this.#answerReset(id, resetStatus.refusedStream);
      return;
    }
    const stream = new SpdyStream(this.#link, id, headers);
    this.#streams.set(id, stream);
    this.#outbox.open(id);
    if ((flags & flag.fin) !== 0) stream.acceptEnd();
    try {
      this.#options.onStream(stream);
    } catch {
      stream.destroy();
      return;
    }
    this.#outbox.control(synReplyFrame(id, this.#deflater.deflate(new Map())));
  }

  #acceptReset(payload: Buffer): void {
    need(payload, 8, "RST_STREAM");
    const stream = this.#streams.get(payload.readUInt32BE(0));
    if (stream === undefined) this.#spendAllowance();
    else stream.acceptReset(payload.readUInt32BE(4));
  }

  #acceptSettings(payload: Buffer): void {
    this.#spendAllowance();
    need(payload, 4, "SETTINGS");
    const count = payload.readUInt32BE(0);
    if (count > limits.settings || payload.length !== 4 + count * 8) {
      throw new Fault("invalid", `SETTINGS with ${count} settings in ${payload.length} bytes`);
    }
    for (let offset = 4; offset < payload.length; offset += 8) {
      const id = payload.readUIntBE(offset + 1, 3);
      const value = payload.readUInt32BE(offset + 4);
      if (id !== settingId.initialWindowSize) continue;
      if (value > maxWindow) throw new Fault("invalid", `an initial window of ${value} bytes`);
      this.#outbox.setInitialWindow(value);
    }
  }

  #acceptPing(payload: Buffer): void {
    this.#spendAllowance();
    need(payload, 4, "PING");
    const id = payload.readUInt32BE(0);
    if (id % 2 === 1) this.#outbox.control(pingFrame(id));
  }

  #acceptWindowUpdate(payload: Buffer): void {
    need(payload, 8, "WINDOW_UPDATE");
    const [id, delta] = [payload.readUInt32BE(0), payload.readUInt32BE(4)];
    if (!this.#streams.has(id) || delta < 1024) this.#spendAllowance();
    if (!this.#outbox.credit(id, delta)) throw new Fault("invalid", "a window of more than 2 GiB");
  }

  #answerReset(streamId: number, status: ResetStatus): void {
    this.#spendAllowance();
    this.#outbox.control(rstStreamFrame(streamId, status));
  }

  #spendAllowance(): void {
    if (!this.#allowance.spend()) throw new Fault("invalid", "too many control frames");
  }

  readonly #link = {
    holding: this.#holding,
    send: (stream: SpdyStream, bytes: Buffer, done: () => void) => {
      this.#idle.touch();
      this.#outbox.send(stream.id, bytes, done);
    },
    finish: (stream: SpdyStream) => this.#outbox.finish(stream.id),
    taken: (stream: SpdyStream, bytes: number) => {
      const credit = (this.#credit.get(stream.id) ?? 0) + bytes;
      const isWorthAFrame = credit >= limits.inboxBytes / 2;
      this.#credit.set(stream.id, isWorthAFrame ? 0 : credit);
      if (isWorthAFrame) this.#outbox.control(windowUpdateFrame(stream.id, credit));
    },
    closed: (stream: SpdyStream, status: ResetStatus | undefined) => {
      this.#streams.delete(stream.id);
      this.#credit.delete(stream.id);
      this.#outbox.close(stream.id);
      if (status !== undefined && !this.signal.aborted) this.#outbox.control(rstStreamFrame(stream.id, status));
    },
  };
}

function need(payload: Buffer, bytes: number, name: string): void {
  if (payload.length < bytes) throw new Fault("invalid", `${name} of ${payload.length} bytes`);
}
