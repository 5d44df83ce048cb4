import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { Fault } from "../base/index.ts";

/**
 * The whole content of a file of at most `maxBytes`; files of /proc and /sys, whose size is not known before, too.
 * Rejects with Fault("exhausted") beyond, and with Node's own error (ENOENT, EACCES …) when it cannot be read.
 * Never hangs on a FIFO: it reads as empty.
 */
export async function readBounded(path: string, maxBytes: number): Promise<Buffer> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  return await readWhole(file, maxBytes, path);
}

/** As `readBounded`, from an open file at its current position; `name` is for the error. */
export async function readWhole(file: FileHandle, maxBytes: number, name: string): Promise<Buffer> {
  const { size } = await file.stat();
  if (size > maxBytes) throw tooLarge(name, maxBytes);
  const chunks: Buffer[] = [];
  let total = 0;
  // One byte more than the file is said to have, so that the common case ends with the first read that comes up short.
  let room = Math.min(size > 0 ? size + 1 : 4096, maxBytes + 1);
  for (;;) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(room), 0, room, null);
    if (bytesRead === 0) return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
    chunks.push(buffer.subarray(0, bytesRead));
    total += bytesRead;
    if (total > maxBytes) throw tooLarge(name, maxBytes);
    room = Math.min(Math.max(4096, total), maxBytes + 1 - total);
  }
}

function tooLarge(name: string, maxBytes: number): Fault {
  return new Fault("exhausted", `reading ${name}: larger than ${maxBytes} bytes, which is the limit for this file`);
}
