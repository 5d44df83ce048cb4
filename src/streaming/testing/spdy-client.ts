import { once } from "node:events";
import { request } from "node:http";
import type { Socket } from "node:net";
import { constants, createDeflate, createInflate } from "node:zlib";
import { headerDictionary } from "../spdy/dictionary.ts";
import { controlFrame, dataHeader, flag, frameType, words } from "../spdy/frame.ts";
import { type Frame, FrameReader } from "../spdy/frame-reader.ts";

/** An answer to a request for an upgrade that was refused. */
export class Refused extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;

  constructor(status: number, text: string, headers: Refused["headers"]) {
    super(text.trim());
    this.status = status;
    this.headers = headers;
  }
}

/** Asks for an upgrade; resolves with the connection, rejects with Refused. */
export async function upgrade(url: string, headers: Record<string, string>, method = "POST"): Promise<Socket> {
  const asked = request(url, { method, headers: { Connection: "Upgrade", ...headers } });
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  asked.once("upgrade", (_response, socket, head) => {
    if (head.length > 0) socket.unshift(head);
    resolve(socket as Socket); // of an HTTP client it is one
  });
  asked.once("response", async (response) => {
    const text = await response.toArray().then((chunks) => Buffer.concat(chunks).toString());
    reject(new Refused(response.statusCode ?? 0, text, response.headers));
  });
  asked.once("error", reject);
  asked.end();
  return await promise;
}

/** A stream as the client sees it. */
export interface ClientSide {
  readonly id: number;
  readonly chunks: Buffer[];
  /** Resolves once the server has ended the stream. */
  readonly ended: Promise<void>;
  /** Resolves with the status once the server has reset it. */
  readonly reset: Promise<number>;
  replied: boolean;
  text(): string;
}

/** A SPDY client for tests: speaks the protocol properly when asked to, and writes whatever it is given. */
export class SpdyClient {
  readonly socket: Socket;
  /** Control frames from the server that are not of a stream. */
  readonly control: { readonly type: number; readonly words: readonly number[] }[] = [];
  /** Resolves when the server has closed the connection. */
  readonly closed: Promise<void>;
  readonly #streams = new Map<number, ClientSide & { end(): void; cut(status: number): void }>();
  readonly #reader = new FrameReader(1 << 20);
  readonly #deflate = createDeflate({ dictionary: headerDictionary(), flush: constants.Z_SYNC_FLUSH });
  readonly #inflate = createInflate({ dictionary: headerDictionary(), flush: constants.Z_SYNC_FLUSH });
  #nextId = 1;
  #compressing: Promise<unknown> = Promise.resolve();
  #news = Promise.withResolvers<void>();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    this.closed = new Promise((resolve) => socket.once("close", () => resolve()));
    socket.on("error", () => {});
    socket.on("end", () => socket.end());
    socket.on("data", (chunk: Buffer) => {
      this.#reader.add(chunk);
      for (let frame = this.#reader.next(); frame !== undefined; frame = this.#reader.next()) this.#accept(frame);
      this.#news.resolve();
      this.#news = Promise.withResolvers();
    });
  }

  static async connect(url: string, protocols: readonly string[] = ["v4.channel.k8s.io"]): Promise<SpdyClient> {
    const offered = protocols.length === 0 ? {} : { "X-Stream-Protocol-Version": protocols.join(", ") };
    return new SpdyClient(await upgrade(url, { Upgrade: "SPDY/3.1", ...offered }));
  }

  /** Opens a stream without waiting for the server's word. */
  async open(headers: Readonly<Record<string, string>>, flags = 0, id = this.#nextId): Promise<ClientSide> {
    this.#nextId = id + 2;
    const [ended, reset] = [Promise.withResolvers<void>(), Promise.withResolvers<number>()];
    const chunks: Buffer[] = [];
    const side = {
      id,
      chunks,
      ended: ended.promise,
      reset: reset.promise,
      replied: false,
      text: () => Buffer.concat(chunks).toString(),
      end: () => ended.resolve(),
      cut: reset.resolve,
    };
    this.#streams.set(id, side);
    const block = await this.deflated(headerBlock(Object.entries(headers)));
    this.write(controlFrame(frameType.synStream, flags, Buffer.concat([words(id, 0), Buffer.from([0, 0]), block])));
    return side;
  }

  /** Opens the streams of a command, in kubectl's order. */
  async openCommand(...types: readonly string[]): Promise<Record<string, ClientSide>> {
    const sides: Record<string, ClientSide> = {};
    for (const type of ["error", ...types]) sides[type] = await this.open({ streamtype: type });
    return sides;
  }

  /** A header block, compressed as the next one of this connection. */
  deflated(block: Buffer): Promise<Buffer> {
    const next = this.#compressing.then(() => this.#compress(block));
    this.#compressing = next;
    return next;
  }

  async #compress(block: Buffer): Promise<Buffer> {
    const chunks: Buffer[] = [];
    const collect = (chunk: Buffer) => chunks.push(chunk);
    this.#deflate.on("data", collect);
    await new Promise((resolve) => this.#deflate.write(block, resolve));
    this.#deflate.off("data", collect);
    return Buffer.concat(chunks);
  }

  data(side: ClientSide, bytes: Buffer | string, fin = false): boolean {
    const data = Buffer.from(bytes);
    return this.write(Buffer.concat([dataHeader(side.id, data.length, fin ? flag.fin : 0), data]));
  }

  write(bytes: Buffer): boolean {
    return this.socket.write(bytes);
  }

  /** Writes a piece again and again for as long as the server reads, up to a number of bytes; resolves with how many. */
  async flood(bytes: Buffer, limit: number, stallMs = 500): Promise<number> {
    let sent = 0;
    while (sent < limit && !this.socket.destroyed && this.socket.writable) {
      sent += bytes.length;
      if (this.write(bytes)) continue;
      const stalled = AbortSignal.timeout(stallMs);
      const drained = await once(this.socket, "drain", { signal: stalled }).then(
        () => true,
        () => false,
      );
      if (!drained) break;
    }
    return sent;
  }

  /** Waits until something is so that news from the server can make so. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await Promise.race([this.#news.promise, this.closed]);
  }

  /** Leaves at once, without a word. */
  vanish(): void {
    this.socket.destroy();
  }

  #accept(frame: Frame): void {
    if (frame.is === "data") {
      const side = this.#streams.get(frame.streamId);
      if (frame.bytes.length > 0) side?.chunks.push(Buffer.from(frame.bytes));
      if (frame.fin) side?.end();
      return;
    }
    const { type, payload } = frame;
    const side = this.#streams.get(payload.length >= 4 ? payload.readUInt32BE(0) : 0);
    if (type === frameType.synReply && side !== undefined) {
      this.#inflate.write(payload.subarray(4));
      side.replied = true;
    } else if (type === frameType.rstStream && side !== undefined) {
      side.cut(payload.readUInt32BE(4));
    } else {
      const values = Array.from({ length: payload.length >> 2 }, (_, index) => payload.readUInt32BE(index * 4));
      this.control.push({ type, words: values });
    }
  }
}

/** An uncompressed header block. */
export function headerBlock(headers: readonly (readonly [string, string])[], count = headers.length): Buffer {
  const parts = [words(count)];
  for (const text of headers.flat()) parts.push(words(Buffer.byteLength(text)), Buffer.from(text));
  return Buffer.concat(parts);
}
