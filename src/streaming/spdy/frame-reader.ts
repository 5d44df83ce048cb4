import { Fault } from "../../base/index.ts";
import { flag, version } from "./frame.ts";

export type Frame =
  /** A piece of a data frame, which may come in several; `fin` is set on its last when the stream ends with it. */
  | { readonly is: "data"; readonly streamId: number; readonly bytes: Buffer; readonly fin: boolean }
  | { readonly is: "control"; readonly type: number; readonly flags: number; readonly payload: Buffer };

interface DataInProgress {
  readonly is: "data";
  readonly streamId: number;
  readonly fin: boolean;
  restBytes: number;
}

interface ControlInProgress {
  readonly is: "control";
  readonly type: number;
  readonly flags: number;
  readonly payload: Buffer;
  filledBytes: number;
}

const headerBytes = 8;
const nothing = Buffer.alloc(0);

/**
 * Cuts what arrives into frames. Data passes through as it comes, control frames are held until they are whole and are
 * bounded. `add` a chunk, then call `next` until it returns undefined.
 */
export class FrameReader {
  readonly #maxControlBytes: number;
  readonly #header = Buffer.alloc(headerBytes);
  #headerFilled = 0;
  #current: DataInProgress | ControlInProgress | undefined;
  #chunk: Buffer = nothing;

  constructor(maxControlBytes: number) {
    this.#maxControlBytes = maxControlBytes;
  }

  add(chunk: Buffer): void {
    this.#chunk = this.#chunk.length === 0 ? chunk : Buffer.concat([this.#chunk, chunk]);
  }

  /** The next frame or piece of one, undefined when more bytes are needed. Throws Fault("invalid") for what is not SPDY/3. */
  next(): Frame | undefined {
    this.#current ??= this.#begin();
    if (this.#current === undefined) return undefined;
    return this.#current.is === "data" ? this.#nextData(this.#current) : this.#nextControl(this.#current);
  }

  #nextData(data: DataInProgress): Frame | undefined {
    const { streamId } = data;
    if (data.restBytes > 0 && this.#chunk.length === 0) return undefined;
    const bytes = this.#take(data.restBytes);
    data.restBytes -= bytes.length;
    const isLast = data.restBytes === 0;
    if (isLast) this.#current = undefined;
    return { is: "data", streamId, bytes, fin: isLast && data.fin };
  }

  #nextControl(control: ControlInProgress): Frame | undefined {
    const { type, flags, payload } = control;
    const bytes = this.#take(payload.length - control.filledBytes);
    payload.set(bytes, control.filledBytes);
    control.filledBytes += bytes.length;
    if (control.filledBytes < payload.length) return undefined;
    this.#current = undefined;
    return { is: "control", type, flags, payload };
  }

  #begin(): DataInProgress | ControlInProgress | undefined {
    const bytes = this.#take(headerBytes - this.#headerFilled);
    this.#header.set(bytes, this.#headerFilled);
    this.#headerFilled += bytes.length;
    if (this.#headerFilled < headerBytes) return undefined;
    this.#headerFilled = 0;
    const first = this.#header.readUInt32BE(0);
    const flags = this.#header.readUInt8(4);
    const length = this.#header.readUIntBE(5, 3);
    if (first < 0x80000000) {
      return { is: "data", streamId: first, fin: (flags & flag.fin) !== 0, restBytes: length };
    }
    const [spoken, type] = [(first >>> 16) & 0x7fff, first & 0xffff];
    if (spoken !== version) throw new Fault("invalid", `the client speaks SPDY/${spoken}, not SPDY/3.1`);
    if (length > this.#maxControlBytes) {
      throw new Fault("invalid", `a control frame of ${length} bytes (type ${type}); at most ${this.#maxControlBytes}`);
    }
    return { is: "control", type, flags, payload: Buffer.allocUnsafe(length), filledBytes: 0 };
  }

  #take(wanted: number): Buffer {
    const taken = this.#chunk.subarray(0, wanted);
    this.#chunk = taken.length === this.#chunk.length ? nothing : this.#chunk.subarray(wanted);
    return taken;
  }
}
