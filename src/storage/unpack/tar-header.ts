import { Fault } from "../../base/index.ts";
import { cStringBytes } from "./tar-name.ts";
import { headerNumber } from "./tar-numbers.ts";

export const blockSize = 512;

/** One header block, before what extension headers say about it. */
export interface TarHeader {
  /** The type as a character; `"\0"` in archives before POSIX means a regular file. */
  readonly type: string;
  readonly name: Uint8Array;
  readonly link: Uint8Array;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtimeSeconds: number;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
}

/** Whether a block is all zeros: two of them end an archive. */
export function isZeroBlock(block: Uint8Array): boolean {
  for (let at = 0; at < blockSize; at++) if (block[at] !== 0) return false;
  return true;
}

/** Reads a header block of any of the formats v7, ustar, GNU and star. Throws Fault("corrupt"). */
export function parseTarHeader(block: Buffer): TarHeader {
  checkSum(block);
  const dialect = dialectOf(block);
  const size = headerNumber(block, 124, 136, "size");
  if (size < 0) throw new Fault("corrupt", "the header's size is negative");
  const hasDevices = dialect !== "v7";
  return {
    type: String.fromCharCode(block[156] ?? 0),
    name: nameOf(block, dialect),
    link: cStringBytes(block.subarray(157, 257)),
    mode: headerNumber(block, 100, 108, "mode"),
    uid: headerNumber(block, 108, 116, "uid"),
    gid: headerNumber(block, 116, 124, "gid"),
    size,
    mtimeSeconds: headerNumber(block, 136, 148, "mtime"),
    deviceMajor: hasDevices ? headerNumber(block, 329, 337, "device number") : 0,
    deviceMinor: hasDevices ? headerNumber(block, 337, 345, "device number") : 0,
  };
}

/** The sum of all bytes with the checksum field read as spaces; some old writers added up signed bytes. */
function checkSum(block: Uint8Array): void {
  let unsigned = 0;
  let high = 0;
  for (let at = 0; at < blockSize; at++) {
    const byte = at >= 148 && at < 156 ? 0x20 : (block[at] ?? 0);
    unsigned += byte;
    high += byte >>> 7;
  }
  const wanted = headerNumber(block, 148, 156, "checksum");
  if (wanted !== unsigned && wanted !== unsigned - high * 256) {
    throw new Fault("corrupt", "a header block whose checksum is wrong");
  }
}

type Dialect = "v7" | "ustar" | "gnu" | "star";

function dialectOf(block: Buffer): Dialect {
  const magic = block.toString("latin1", 257, 265);
  if (magic === "ustar  \0") return "gnu";
  if (!magic.startsWith("ustar\0")) return "v7";
  return block.toString("latin1", 508, 512) === "tar\0" ? "star" : "ustar";
}

function nameOf(block: Uint8Array, dialect: Dialect): Uint8Array {
  const name = cStringBytes(block.subarray(0, 100));
  const prefix = prefixOf(block, dialect);
  return prefix.length === 0 ? name : Buffer.concat([prefix, Buffer.from("/"), name]);
}

function prefixOf(block: Uint8Array, dialect: Dialect): Uint8Array {
  switch (dialect) {
    case "v7":
      return block.subarray(0, 0);
    case "ustar":
      return cStringBytes(block.subarray(345, 500));
    case "star":
      return cStringBytes(block.subarray(345, 476));
    case "gnu":
      return oldGoPrefix(block);
  }
}

/**
 * GNU has times where ustar has the prefix. Go's writer before 1.8 put a prefix there all the same, and images made with
 * it exist: when the times are unreadable and the bytes ASCII, they are a prefix. Go's reader decides alike.
 */
function oldGoPrefix(block: Uint8Array): Uint8Array {
  const none = block.subarray(0, 0);
  try {
    if (block[345] !== 0) headerNumber(block, 345, 357, "atime");
    if (block[357] !== 0) headerNumber(block, 357, 369, "ctime");
    return none;
  } catch {
    const prefix = cStringBytes(block.subarray(345, 500));
    return prefix.every((byte) => byte < 0x80) ? prefix : none;
  }
}
