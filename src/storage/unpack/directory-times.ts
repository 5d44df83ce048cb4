import { readSync, writeSync } from "node:fs";
import { Fault } from "../../base/index.ts";
import { type TarName, tarNameBytes } from "./tar-name.ts";

/**
 * The modification times of directories, to be set when nothing is created in them any more.
 * Kept in a buffer, and beyond its size in the file `fd`, so that ten million directories cost disk and not memory.
 */
export class DirectoryTimes {
  readonly #fd: number;
  readonly #buffer: Buffer;
  #fill = 0;
  #written = 0;

  constructor(fd: number, bufferBytes = 2 ** 18) {
    this.#fd = fd;
    this.#buffer = Buffer.alloc(bufferBytes);
  }

  add(path: TarName, modifiedNs: bigint): void {
    const bytes = tarNameBytes(path);
    const size = prefixBytes + bytes.length;
    if (size > this.#buffer.length - this.#fill) this.#spill();
    if (size > this.#buffer.length) throw new Fault("failed", "a path larger than the buffer of directory times");
    this.#buffer.writeUInt32LE(bytes.length, this.#fill);
    this.#buffer.writeUInt8(path.bytesAreText ? 1 : 0, this.#fill + 4);
    this.#buffer.writeBigInt64LE(modifiedNs / nsPerSecond, this.#fill + 5);
    this.#buffer.writeInt32LE(Number(modifiedNs % nsPerSecond), this.#fill + 13);
    bytes.copy(this.#buffer, this.#fill + prefixBytes);
    this.#fill += size;
  }

  /** Hands out all that was added, in that order, and forgets it. */
  drain(set: (path: TarName, modifiedNs: bigint) => void): void {
    if (this.#written === 0) {
      eachRecord(this.#buffer.subarray(0, this.#fill), set);
      this.#fill = 0;
      return;
    }
    this.#spill();
    let kept = 0;
    for (let at = 0; at < this.#written || kept > 0; ) {
      const got = readSync(this.#fd, this.#buffer, kept, this.#buffer.length - kept, at);
      if (got === 0) throw new Fault("failed", "the file of directory times ends too early");
      at += got;
      const used = eachRecord(this.#buffer.subarray(0, kept + got), set);
      this.#buffer.copyWithin(0, used, kept + got);
      kept += got - used;
    }
    this.#written = 0;
  }

  #spill(): void {
    for (let at = 0; at < this.#fill; ) {
      const size = writeSync(this.#fd, this.#buffer, at, this.#fill - at, this.#written);
      at += size;
      this.#written += size;
    }
    this.#fill = 0;
  }
}

const prefixBytes = 17;
const nsPerSecond = 1_000_000_000n;

/** Takes the whole records in `bytes`; returns how many bytes they are. */
function eachRecord(bytes: Buffer, set: (path: TarName, modifiedNs: bigint) => void): number {
  let at = 0;
  while (bytes.length - at >= prefixBytes) {
    const end = at + prefixBytes + bytes.readUInt32LE(at);
    if (end > bytes.length) break;
    const bytesAreText = bytes.readUInt8(at + 4) === 1;
    const text = bytes.toString(bytesAreText ? "utf8" : "latin1", at + prefixBytes, end);
    set({ text, bytesAreText }, bytes.readBigInt64LE(at + 5) * nsPerSecond + BigInt(bytes.readInt32LE(at + 13)));
    at = end;
  }
  return at;
}
