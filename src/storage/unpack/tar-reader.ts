import { Fault } from "../../base/index.ts";
import type { LayerLimits } from "./limits.ts";
import { parsePaxRecords } from "./pax-records.ts";
import { type Extensions, type TarEntry, tarEntryOf } from "./tar-entry.ts";
import { blockSize, isZeroBlock, parseTarHeader, type TarHeader } from "./tar-header.ts";
import { cStringBytes, shownName, type TarName, tarNameOf } from "./tar-name.ts";

/** Told of everything in an archive, in order. All bytes handed over are valid during the call only. */
export interface TarListener {
  /** The bytes since the last content: padding, headers, extension headers. They precede the next entry, or are all there is. */
  headers(raw: Uint8Array): void;
  /** A global PAX header, already part of the raw bytes. What it says is ignored, as by every other reader of layers. */
  globalHeader(name: TarName): void;
  entry(entry: TarEntry): void;
  /** A part of the content of the last entry. */
  content(bytes: Uint8Array): void;
  entryEnd(): void;
  /** What follows the two blocks of zeros that end the archive. */
  trailer(bytes: Uint8Array): void;
}

type State = "header" | "extension" | "content" | "padding" | "trailer";

const noExtensions: Extensions = { pax: undefined, gnuName: undefined, gnuLink: undefined };

/**
 * Reads a tar archive that is pushed in pieces of any size; time is linear in the bytes, memory bounded by `maxHeaderBytes`.
 * Accepts what Go's archive/tar accepts (the reader behind every other container tool), except for sparse files.
 */
export class TarReader {
  readonly #listener: TarListener;
  readonly #limits: Pick<LayerLimits, "maxHeaderBytes" | "maxEntries">;
  readonly #block = Buffer.alloc(blockSize);
  #blockFill = 0;
  #raw = Buffer.alloc(4 * blockSize);
  #rawLength = 0;
  #state: State = "header";
  #left = 0;
  #padding = 0;
  #zeroBlocks = 0;
  #entries = 0;
  #extension: { readonly header: TarHeader; readonly bodyAt: number } | undefined;
  #extensions: Extensions = noExtensions;
  #lastName: TarName | undefined;

  constructor(listener: TarListener, limits: Pick<LayerLimits, "maxHeaderBytes" | "maxEntries">) {
    this.#listener = listener;
    this.#limits = limits;
  }

  /** Entries seen so far. */
  get entries(): number {
    return this.#entries;
  }

  /** Where in the archive reading stands, for error messages. */
  where(): string {
    if (this.#lastName === undefined) return "before the first entry";
    return `${this.#state === "content" ? "in" : "at or after"} entry ${shownName(this.#lastName)}`;
  }

  /** Reads on. Throws a Fault at the first byte that makes no sense; the reader is of no use afterwards. */
  push(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) at += this.#take(chunk, at);
  }

  /** The archive has no further bytes. Throws Fault("corrupt") when it ends in the middle of something. */
  finish(): void {
    if (this.#blockFill > 0) throw new Fault("corrupt", "the archive ends in the middle of a header");
    if (this.#state === "extension")
      throw new Fault("corrupt", "the archive ends in the middle of an extension header");
    if (this.#state === "content")
      throw new Fault("corrupt", `the archive ends ${this.#left} bytes short of this entry`);
    if (this.#extensions !== noExtensions) throw new Fault("corrupt", "the archive ends after an extension header");
    this.#flush();
  }

  /** Takes some bytes from `at` on and says how many. */
  #take(chunk: Buffer, at: number): number {
    switch (this.#state) {
      case "header":
        return this.#takeHeader(chunk, at);
      case "extension":
        return this.#takeExtension(chunk, at);
      case "content":
        return this.#takeContent(chunk, at);
      case "padding":
        return this.#takePadding(chunk, at);
      case "trailer":
        this.#listener.trailer(chunk.subarray(at));
        return chunk.length - at;
    }
  }

  #takeHeader(chunk: Buffer, at: number): number {
    const size = Math.min(blockSize - this.#blockFill, chunk.length - at);
    chunk.copy(this.#block, this.#blockFill, at, at + size);
    this.#blockFill += size;
    if (this.#blockFill === blockSize) {
      this.#blockFill = 0;
      this.#keep(this.#block, 0, blockSize);
      this.#header();
    }
    return size;
  }

  #header(): void {
    if (isZeroBlock(this.#block)) {
      this.#zeroBlock();
      return;
    }
    if (this.#zeroBlocks > 0) throw new Fault("corrupt", "a block of zeros in the middle of the archive");
    const header = parseTarHeader(this.#block);
    if ("xgLK".includes(header.type)) this.#startExtension(header);
    else this.#startEntry(header);
  }

  #zeroBlock(): void {
    if (this.#extensions !== noExtensions) throw new Fault("corrupt", "the archive ends after an extension header");
    this.#zeroBlocks++;
    if (this.#zeroBlocks < 2) return;
    this.#flush();
    this.#state = "trailer";
  }

  #startExtension(header: TarHeader): void {
    const padded = Math.ceil(header.size / blockSize) * blockSize;
    if (header.size > this.#limits.maxHeaderBytes || this.#rawLength + padded > 4 * this.#limits.maxHeaderBytes) {
      throw new Fault(
        "exhausted",
        `an extension header of ${header.size} bytes (limit ${this.#limits.maxHeaderBytes})`,
      );
    }
    this.#extension = { header, bodyAt: this.#rawLength };
    this.#left = padded;
    this.#state = "extension";
    if (padded === 0) this.#endExtension();
  }

  #takeExtension(chunk: Buffer, at: number): number {
    const size = Math.min(this.#left, chunk.length - at);
    this.#keep(chunk, at, at + size);
    this.#left -= size;
    if (this.#left === 0) this.#endExtension();
    return size;
  }

  #endExtension(): void {
    const { header, bodyAt } = this.#extension ?? {};
    if (header === undefined || bodyAt === undefined) return;
    this.#extension = undefined;
    this.#state = "header";
    const body = Buffer.from(this.#raw.subarray(bodyAt, bodyAt + header.size)); // a copy: the raw bytes are reused
    switch (header.type) {
      case "x":
        this.#extensions = { ...this.#extensions, pax: parsePaxRecords(body) };
        return;
      case "L":
        this.#extensions = { ...this.#extensions, gnuName: cStringBytes(body) };
        return;
      case "K":
        this.#extensions = { ...this.#extensions, gnuLink: cStringBytes(body) };
        return;
      default:
        parsePaxRecords(body);
        this.#flush();
        this.#listener.globalHeader(tarNameOf(header.name));
    }
  }

  #startEntry(header: TarHeader): void {
    this.#entries++;
    if (this.#entries > this.#limits.maxEntries) {
      throw new Fault("exhausted", `more than ${this.#limits.maxEntries} entries`);
    }
    const entry = tarEntryOf(header, this.#extensions);
    this.#extensions = noExtensions;
    this.#lastName = entry.name;
    this.#flush();
    this.#listener.entry(entry);
    this.#left = entry.size;
    this.#padding = (blockSize - (entry.size % blockSize)) % blockSize;
    this.#state = "content";
    if (entry.size === 0) this.#endContent();
  }

  #takeContent(chunk: Buffer, at: number): number {
    const size = Math.min(this.#left, chunk.length - at);
    this.#listener.content(size === chunk.length ? chunk : chunk.subarray(at, at + size));
    this.#left -= size;
    if (this.#left === 0) this.#endContent();
    return size;
  }

  #endContent(): void {
    this.#listener.entryEnd();
    this.#state = this.#padding === 0 ? "header" : "padding";
  }

  #takePadding(chunk: Buffer, at: number): number {
    const size = Math.min(this.#padding, chunk.length - at);
    this.#keep(chunk, at, at + size);
    this.#padding -= size;
    if (this.#padding === 0) this.#state = "header";
    return size;
  }

  #keep(bytes: Buffer, from: number, to: number): void {
    const length = this.#rawLength + to - from;
    if (length > this.#raw.length) {
      const larger = Buffer.alloc(Math.max(length, 2 * this.#raw.length));
      this.#raw.copy(larger, 0, 0, this.#rawLength);
      this.#raw = larger;
    }
    bytes.copy(this.#raw, this.#rawLength, from, to);
    this.#rawLength = length;
  }

  #flush(): void {
    if (this.#rawLength > 0) this.#listener.headers(this.#raw.subarray(0, this.#rawLength));
    this.#rawLength = 0;
  }
}
