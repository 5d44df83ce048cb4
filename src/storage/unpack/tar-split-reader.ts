import { readSync } from "node:fs";
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { errnoOf, Fault, reasonOf } from "../../base/index.ts";
import { type TarName, tarNameOf } from "./tar-name.ts";

/** A line of tar-split: raw bytes of the archive, or a file whose content stands at this place of it. */
export type TarSplitLine =
  | { readonly is: "segment"; readonly bytes: Buffer }
  | { readonly is: "file"; readonly name: TarName; readonly size: number; readonly crc: Buffer | undefined };

const readBytes = 256 * 1024;
/** A segment holds the headers of one entry, whose extensions have a limit of their own. */
const maxLineBytes = 16 * 2 ** 20;

/**
 * Reads the tar-split in an open file, which stays the caller's, in the order of the archive. Rejects with Fault("corrupt") when it is cut
 * off or is no tar-split. Touches no file by itself but through the descriptor, and that synchronously: see confine.ts.
 */
export async function* readTarSplit(fd: number): AsyncGenerator<TarSplitLine> {
  for await (const line of linesOf(fd)) {
    try {
      yield parseLine(line);
    } catch (error) {
      throw new Fault("corrupt", `no line of tar-split: ${reasonOf(error)}`, { cause: error });
    }
  }
}

async function* linesOf(fd: number): AsyncGenerator<string> {
  let kept: Buffer[] = [];
  let keptBytes = 0;
  try {
    for await (const chunk of Readable.from(chunksOf(fd)).pipe(createGunzip())) {
      let at = 0;
      for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, at)) {
        yield Buffer.concat([...kept, chunk.subarray(at, end)]).toString("utf8");
        kept = [];
        keptBytes = 0;
        at = end + 1;
      }
      kept.push(chunk.subarray(at));
      keptBytes += chunk.length - at;
      if (keptBytes > maxLineBytes) throw new Fault("corrupt", `a line of more than ${maxLineBytes} bytes`);
    }
  } catch (error) {
    if (error instanceof Fault || errnoOf(error) !== undefined) throw error;
    throw new Fault("corrupt", `not to be decompressed: ${reasonOf(error)}`, { cause: error });
  }
  if (keptBytes > 0) throw new Fault("corrupt", "cut off in the middle of a line");
}

function* chunksOf(fd: number): Generator<Buffer> {
  for (let position = 0; ; ) {
    const chunk = Buffer.alloc(readBytes);
    const length = readSync(fd, chunk, 0, chunk.length, position);
    if (length === 0) return;
    position += length;
    yield chunk.subarray(0, length);
  }
}

function parseLine(line: string): TarSplitLine {
  const parsed: unknown = JSON.parse(line);
  if (typeof parsed !== "object" || parsed === null) throw new Fault("corrupt", "not an object");
  const fields = new Map<string, unknown>(Object.entries(parsed));
  const bytes = (key: string) => Buffer.from(textOf(fields.get(key)), "base64");
  const payload = fields.get("payload");
  if (fields.get("type") === 2) return { is: "segment", bytes: bytes("payload") };
  if (fields.get("type") !== 1) throw new Fault("corrupt", "of a type that is none");
  const size = fields.get("size") ?? 0;
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) throw new Fault("corrupt", "its size");
  const raw = fields.get("name_raw");
  const name = tarNameOf(raw === undefined ? Buffer.from(textOf(fields.get("name"))) : bytes("name_raw"));
  return { is: "file", name, size, crc: payload === null || payload === undefined ? undefined : bytes("payload") };
}

function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  throw new Fault("corrupt", "a value of the wrong type");
}
