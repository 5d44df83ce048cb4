import { constants, createGunzip, createZstdDecompress } from "node:zlib";
import { Fault, reasonOf } from "../../base/index.ts";

export type Compression = "none" | "gzip" | "zstd";

/** The parts of a zlib stream that are used here. */
type Inflater = ReturnType<typeof createGunzip> | ReturnType<typeof createZstdDecompress>;

export interface DecompressorOptions {
  readonly zstdWindowLog: number;
  /** Gets the uncompressed bytes in pieces of at most 1 MiB, valid during the call. What it throws ends the decompression. */
  readonly onBytes: (bytes: Buffer) => void;
}

/**
 * Finds out by the first bytes how a stream is compressed, and decompresses it. Concatenated gzip members and zstd frames
 * are one stream. Truncated data, wrong checksums and anything after the end are Fault("corrupt").
 */
export class Decompressor {
  readonly #options: DecompressorOptions;
  #head: Buffer | undefined = Buffer.alloc(0);
  #compression: Compression = "none";
  #inflater: Inflater | undefined;
  #given = 0;
  #failure: Error | undefined;

  constructor(options: DecompressorOptions) {
    this.#options = options;
  }

  /** Known from the seventh byte or the end on. */
  get compression(): Compression {
    return this.#compression;
  }

  /** Resolves when all that can be had from the bytes so far has gone to `onBytes`. */
  async write(chunk: Buffer): Promise<void> {
    if (this.#head === undefined) return this.#pass(chunk);
    this.#head = Buffer.concat([this.#head, chunk]);
    if (this.#head.length >= magicBytes) await this.#start();
  }

  /** The stream is complete. Rejects when what it was compressed with says that it is not. */
  async end(): Promise<void> {
    if (this.#head !== undefined) await this.#start();
    const inflater = this.#inflater;
    if (inflater === undefined) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    inflater.once("end", resolve).once("error", reject).once("close", resolve);
    inflater.end();
    await promise.catch((error) => this.#fail(error));
    if (this.#failure !== undefined) throw this.#failure;
    const rest = this.#given - inflater.bytesWritten;
    if (rest !== 0) throw new Fault("corrupt", `${rest} bytes follow the end of the ${this.#compression} data`);
  }

  /** Frees what the decompression holds. */
  close(): void {
    this.#inflater?.destroy();
  }

  async #start(): Promise<void> {
    const head = this.#head ?? Buffer.alloc(0);
    this.#head = undefined;
    this.#compression = compressionOf(head);
    this.#inflater = this.#createInflater();
    await this.#pass(head);
  }

  #createInflater(): Inflater | undefined {
    if (this.#compression === "none") return undefined;
    const inflater =
      this.#compression === "gzip"
        ? createGunzip({ chunkSize: outputBytes })
        : createZstdDecompress({
            chunkSize: outputBytes,
            params: { [constants.ZSTD_d_windowLogMax]: this.#options.zstdWindowLog },
          });
    inflater.on("error", (error) => this.#fail(error));
    inflater.on("data", (bytes: Buffer) => {
      if (this.#failure !== undefined) return;
      try {
        this.#options.onBytes(bytes);
        freeWhenDone(bytes, outputBytes);
      } catch (error) {
        this.#failure = error instanceof Error ? error : new Error(String(error));
        inflater.destroy();
      }
    });
    return inflater;
  }

  async #pass(chunk: Buffer): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#given += chunk.length;
    const inflater = this.#inflater;
    if (inflater === undefined) {
      for (let at = 0; at < chunk.length; at += outputBytes)
        this.#options.onBytes(chunk.subarray(at, at + outputBytes));
      return;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    inflater.once("close", resolve); // destroyed while at it: the callback may never come
    inflater.write(chunk, () => resolve());
    await promise;
    inflater.off("close", resolve);
    if (this.#failure !== undefined) throw this.#failure;
  }

  #fail(error: unknown): void {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    const tooLarge = code === "ZSTD_error_frameParameter_windowTooLarge";
    this.#failure ??= tooLarge
      ? new Fault("exhausted", `zstd data with a window larger than ${2 ** this.#options.zstdWindowLog} bytes`)
      : new Fault("corrupt", `the ${this.#compression} data: ${reasonOf(error)}`, { cause: error });
  }
}

/**
 * Frees the memory of `bytes` now, instead of when the garbage collector comes round, if they end a buffer of exactly
 * `bufferBytes`, all of which has then been handed over. Halves the time of decompression, since the same pages serve
 * again, and keeps tens of megabytes of garbage from piling up.
 */
export function freeWhenDone(bytes: Uint8Array, bufferBytes: number): void {
  const { buffer, byteOffset, byteLength } = bytes;
  if (!(buffer instanceof ArrayBuffer) || buffer.byteLength !== bufferBytes) return;
  if (byteOffset + byteLength === bufferBytes) buffer.transfer(0);
}

const outputBytes = 2 ** 20;
const magicBytes = 6;

function compressionOf(head: Buffer): Compression {
  const hex = head.toString("hex", 0, magicBytes);
  if (hex.startsWith("1f8b08")) return "gzip";
  if (hex.startsWith("28b52ffd") || /^5.2a4d18/.test(hex)) return "zstd"; // a frame, or one to be skipped
  if (hex.startsWith("425a68"))
    throw new Fault("unimplemented", "the layer is compressed with bzip2, which is not supported");
  if (hex === "fd377a585a00")
    throw new Fault("unimplemented", "the layer is compressed with xz, which is not supported");
  return "none";
}
