import { constants, createInflate } from "node:zlib";
import { Fault, reasonOf } from "../../base/index.ts";
import { headerDictionary } from "./dictionary.ts";
import { words } from "./frame.ts";

/** Names in lower case. Of several values of a name the first counts, as in Go. */
export type Headers = ReadonlyMap<string, string>;

/** Decompresses the header blocks of one connection, in the order in which they came. */
export class HeaderInflater {
  readonly #inflate = createInflate({ dictionary: headerDictionary(), flush: constants.Z_SYNC_FLUSH });
  readonly #maxBytes: number;
  #pieces: Buffer[] = [];
  #length = 0;
  #fail: (error: Fault) => void = () => {};

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#inflate.on("data", (piece: Buffer) => {
      this.#pieces.push(piece);
      this.#length += piece.length;
      if (this.#length > this.#maxBytes) {
        // Ends the decompression too, which otherwise goes on for as long as the block lasts.
        this.#inflate.destroy();
        this.#fail(new Fault("invalid", `a header block of more than ${this.#maxBytes} bytes`));
      }
    });
    this.#inflate.on("error", (error) => this.#fail(undecipherable(error)));
  }

  /** One block. Rejects with Fault("invalid") when it cannot be decompressed or is too large; the connection is lost then. */
  inflate(block: Buffer): Promise<Buffer> {
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    this.#fail = reject;
    this.#inflate.write(block, (error) => {
      if (error) return reject(undecipherable(error));
      const inflated = Buffer.concat(this.#pieces, this.#length);
      this.#pieces = [];
      this.#length = 0;
      resolve(inflated);
    });
    return promise;
  }

  close(): void {
    this.#inflate.destroy();
    this.#fail(new Fault("cancelled", "the connection is over"));
  }
}

function undecipherable(error: unknown): Fault {
  return new Fault("invalid", `a header block that cannot be decompressed: ${reasonOf(error)}`, { cause: error });
}

/**
 * Header blocks that we send, uncompressed: deflate's stored blocks within the one zlib stream of the connection. Each ends
 * with an empty stored block, the mark of a flush, since Go gives the data out only there.
 */
export class HeaderDeflater {
  #isFirst = true;

  deflate(headers: Headers): Buffer {
    const block = headerBlock(headers);
    const stored = Buffer.alloc(5);
    stored.writeUInt16LE(block.length, 1);
    stored.writeUInt16LE(~block.length & 0xffff, 3);
    const parts = [stored, block, Buffer.from([0, 0, 0, 0xff, 0xff])];
    if (this.#isFirst) parts.unshift(zlibHeader());
    this.#isFirst = false;
    return Buffer.concat(parts);
  }
}

/** The start of a zlib stream with a preset dictionary (RFC 1950, 2.2), whose id follows. */
function zlibHeader(): Buffer {
  return Buffer.from([0x78, 0xbb, 0xe3, 0xc6, 0xa7, 0xc2]);
}

function headerBlock(headers: Headers): Buffer {
  const parts = [words(headers.size)];
  for (const [name, value] of headers) {
    for (const text of [Buffer.from(name), Buffer.from(value)]) parts.push(words(text.length), text);
  }
  return Buffer.concat(parts);
}

/** Reads a decompressed header block (draft 3, 2.6.10). Throws Fault("invalid") for anything unusual. */
export function parseHeaderBlock(block: Buffer, maxHeaders: number): Headers {
  let offset = 0;
  const word = () => {
    if (offset + 4 > block.length) throw new Fault("invalid", "a header block that ends in the middle");
    offset += 4;
    return block.readUInt32BE(offset - 4);
  };
  const text = () => {
    const length = word();
    if (length > block.length - offset) throw new Fault("invalid", "a header block that ends in the middle");
    offset += length;
    return block.toString("latin1", offset - length, offset);
  };
  const count = word();
  if (count > maxHeaders) throw new Fault("invalid", `${count} headers on one stream; at most ${maxHeaders}`);
  const headers = new Map<string, string>();
  for (let index = 0; index < count; index++) {
    const name = text();
    if (!/^[!-@[-~]+$/.test(name)) throw new Fault("invalid", "a header name that is not one");
    if (headers.has(name)) throw new Fault("invalid", `two headers ${name}`);
    const [value = ""] = text().split("\0", 1);
    headers.set(name, value);
  }
  if (offset !== block.length) throw new Fault("invalid", "a header block with more bytes than headers");
  return headers;
}
