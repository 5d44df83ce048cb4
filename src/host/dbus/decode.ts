import { isUtf8 } from "node:buffer";
import { Fault } from "../../base/index.ts";
import { isObjectPath } from "./encode.ts";
import { alignmentOf, type BasicCode, type DbusType, parseSignature, parseSingleType } from "./signature.ts";
import type { DbusValue } from "./value.ts";

export type ByteOrder = "little" | "big";

/** Containers within containers, variants included; the specification's limit. */
const maxDepth = 64;

/**
 * The values of a message body (or of anything else that begins on an 8-byte boundary).
 * Throws Fault("corrupt") for bytes that are not what the signature says, and for bytes left over.
 */
export function decodeValues(signature: string, bytes: Buffer, order: ByteOrder): readonly DbusValue[] {
  const reader = new Reader(bytes, order);
  const values = parseSignature(signature).map((type) => readValue(reader, type, 0));
  if (reader.at !== bytes.length) throw new Fault("corrupt", `D-Bus: ${bytes.length - reader.at} bytes after the body`);
  return values;
}

class Reader {
  readonly #bytes: Buffer;
  readonly little: boolean;
  at = 0;

  constructor(bytes: Buffer, order: ByteOrder) {
    this.#bytes = bytes;
    this.little = order === "little";
  }

  align(boundary: number): void {
    this.take((boundary - (this.at % boundary)) % boundary);
  }

  take(size: number): Buffer {
    const end = this.at + size;
    if (end > this.#bytes.length) throw new Fault("corrupt", "D-Bus: the message ends in the middle of a value");
    const taken = this.#bytes.subarray(this.at, end);
    this.at = end;
    return taken;
  }

  uint32(): number {
    this.align(4);
    const bytes = this.take(4);
    return this.little ? bytes.readUInt32LE() : bytes.readUInt32BE();
  }
}

function readValue(reader: Reader, type: DbusType, depth: number): DbusValue {
  if (depth > maxDepth) throw new Fault("corrupt", `D-Bus: values nested deeper than ${maxDepth}`);
  switch (type.is) {
    case "basic":
      return readBasic(reader, type.code);
    case "variant": {
      const signature = readText(reader, reader.take(1).readUInt8());
      return { signature, value: readValue(reader, parseSingleType(signature), depth + 1) };
    }
    case "array":
      return readArray(reader, type.element, depth);
    case "struct":
      reader.align(8);
      return type.fields.map((field) => readValue(reader, field, depth + 1));
    case "entry":
      reader.align(8);
      return [readValue(reader, type.key, depth + 1), readValue(reader, type.value, depth + 1)];
  }
}

function readArray(reader: Reader, element: DbusType, depth: number): DbusValue {
  const length = reader.uint32();
  reader.align(alignmentOf(element));
  if (element.is === "basic" && element.code === "y") return Uint8Array.from(reader.take(length));
  const end = reader.at + length;
  const items: DbusValue[] = [];
  while (reader.at < end) items.push(readValue(reader, element, depth + 1));
  if (reader.at !== end) throw new Fault("corrupt", "D-Bus: an array ends in the middle of an element");
  return items;
}

function readBasic(reader: Reader, code: BasicCode): DbusValue {
  switch (code) {
    case "s":
      return readText(reader, reader.uint32());
    case "o": {
      const path = readText(reader, reader.uint32());
      if (!isObjectPath(path)) throw new Fault("corrupt", `D-Bus: not an object path: ${path.slice(0, 100)}`);
      return path;
    }
    case "g": {
      const signature = readText(reader, reader.take(1).readUInt8());
      parseSignature(signature);
      return signature;
    }
    case "b": {
      const value = reader.uint32();
      if (value > 1) throw new Fault("corrupt", `D-Bus: a boolean of ${value}`);
      return value === 1;
    }
    case "u":
    case "h":
      return reader.uint32();
    default:
      return readFixed(reader, code);
  }
}

function readFixed(reader: Reader, code: "y" | "n" | "q" | "i" | "x" | "t" | "d"): number | bigint {
  const size = code === "y" ? 1 : code === "n" || code === "q" ? 2 : code === "i" ? 4 : 8;
  reader.align(size);
  const bytes = reader.take(size);
  const { little } = reader;
  switch (code) {
    case "y":
      return bytes.readUInt8();
    case "n":
      return little ? bytes.readInt16LE() : bytes.readInt16BE();
    case "q":
      return little ? bytes.readUInt16LE() : bytes.readUInt16BE();
    case "i":
      return little ? bytes.readInt32LE() : bytes.readInt32BE();
    case "x":
      return little ? bytes.readBigInt64LE() : bytes.readBigInt64BE();
    case "t":
      return little ? bytes.readBigUInt64LE() : bytes.readBigUInt64BE();
    case "d":
      return little ? bytes.readDoubleLE() : bytes.readDoubleBE();
  }
}

function readText(reader: Reader, length: number): string {
  const bytes = reader.take(length);
  const end = reader.take(1).readUInt8();
  if (end !== 0 || bytes.includes(0) || !isUtf8(bytes)) throw new Fault("corrupt", "D-Bus: a malformed string");
  return bytes.toString("utf8");
}
