import type { Duplex } from "node:stream";
import { limits } from "../limits.ts";
import { dataHeader, defaultWindow, flag, maxWindow } from "./frame.ts";

interface PendingWrite {
  bytes: Buffer;
  readonly done: () => void;
}

/**
 * The sending side of a connection: data in frames of a bounded size, streams in turn, no more than the socket takes and no
 * more than the client's windows allow.
 *
 * The clients of Kubernetes (moby/spdystream) neither keep windows nor announce any: with them, TCP alone holds us back, and
 * waiting for their WINDOW_UPDATE would be for ever. So bytes are counted from the start, and the count binds from the
 * moment the client shows that it keeps windows too: a WINDOW_UPDATE or an initial window in its SETTINGS.
 */
export class Outbox {
  readonly #io: Duplex;
  /** At most one write for each stream; a write that waits for the socket goes to the end of the line. */
  readonly #waiting = new Map<number, PendingWrite>();
  readonly #windows = new Map<number, number>();
  #connectionWindow = defaultWindow;
  #initialWindow = defaultWindow;
  #keepsStreamWindows = false;
  #keepsConnectionWindow = false;

  constructor(io: Duplex) {
    this.#io = io;
    io.on("drain", () => this.#proceed());
  }

  open(streamId: number): void {
    this.#windows.set(streamId, this.#initialWindow);
  }

  /** Forgets the stream; what it had not sent is not sent, and its `done` is not called. */
  close(streamId: number): void {
    this.#windows.delete(streamId);
    this.#waiting.delete(streamId);
  }

  /** Sends data; `done` once more may come. One at a time for each stream. */
  send(streamId: number, bytes: Buffer, done: () => void): void {
    this.#advance(streamId, { bytes, done });
  }

  /** Ends the stream's data. */
  finish(streamId: number): void {
    this.control(dataHeader(streamId, 0, flag.fin));
  }

  /** Control frames go past data that waits, and need no window. */
  control(frame: Buffer): void {
    if (this.#io.writable) this.#io.write(frame);
  }

  /** A larger window, of a stream or, for id 0, of the connection. False when it would be larger than windows can be. */
  credit(streamId: number, delta: number): boolean {
    if (streamId === 0) {
      this.#keepsConnectionWindow = true;
      if (this.#connectionWindow + delta > maxWindow) return false;
      this.#connectionWindow += delta;
    } else {
      this.#keepsStreamWindows = true;
      const window = this.#windows.get(streamId);
      if (window === undefined) return true; // it was closed while this was on its way
      if (window + delta > maxWindow) return false;
      this.#windows.set(streamId, window + delta);
    }
    this.#proceed();
    return true;
  }

  /** The window that streams start with; those that are open change by the difference and may fall below zero. */
  setInitialWindow(size: number): void {
    this.#keepsStreamWindows = true;
    const difference = size - this.#initialWindow;
    this.#initialWindow = size;
    for (const [id, window] of this.#windows) this.#windows.set(id, window + difference);
    this.#proceed();
  }

  #proceed(): void {
    for (const [streamId, write] of [...this.#waiting]) {
      if (this.#io.writableNeedDrain) return;
      if (this.#waiting.get(streamId) !== write) continue;
      this.#waiting.delete(streamId);
      this.#advance(streamId, write);
    }
  }

  /** Sends what may be sent now, and puts the rest at the end of the line. */
  #advance(streamId: number, write: PendingWrite): void {
    while (write.bytes.length > 0) {
      const room = Math.min(this.#roomOf(streamId), limits.outboxBytes);
      if (room <= 0 || this.#io.writableNeedDrain || !this.#io.writable) {
        this.#waiting.set(streamId, write);
        return;
      }
      this.#sendData(streamId, write.bytes.subarray(0, room));
      write.bytes = write.bytes.subarray(room);
    }
    write.done();
  }

  #sendData(streamId: number, bytes: Buffer): void {
    this.#connectionWindow -= bytes.length;
    this.#windows.set(streamId, (this.#windows.get(streamId) ?? 0) - bytes.length);
    this.#io.cork();
    this.#io.write(dataHeader(streamId, bytes.length, 0));
    this.#io.write(bytes);
    this.#io.uncork();
  }

  #roomOf(streamId: number): number {
    const stream = this.#keepsStreamWindows ? (this.#windows.get(streamId) ?? 0) : maxWindow;
    return this.#keepsConnectionWindow ? Math.min(stream, this.#connectionWindow) : stream;
  }
}
