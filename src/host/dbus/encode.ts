import { Fault } from "../../base/index.ts";
import { alignmentOf, type BasicCode, type DbusType, parseSignature, parseSingleType } from "./signature.ts";
import { type DbusValue, isVariant } from "./value.ts";

/**
 * `values` in the D-Bus wire format, little endian, as a message body: the first byte is on an 8-byte boundary.
 * Throws Fault("invalid") when a value does not fit its type.
 */
export function encodeValues(signature: string, values: readonly DbusValue[]): Buffer {
  const types = parseSignature(signature);
  if (types.length !== values.length) {
    throw new Fault("invalid", `D-Bus signature ${signature} has ${types.length} types, not ${values.length}`);
  }
  const writer = new Writer();
  types.forEach((type, i) => {
    writeValue(writer, type, present(values[i], signature));
  });
  return writer.bytes();
}

class Writer {
  #buffer = Buffer.alloc(256);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Pads with zeros to a multiple of `boundary`. */
  align(boundary: number): void {
    this.reserve((boundary - (this.#length % boundary)) % boundary);
  }

  /** Makes room for `size` zero bytes and gives them out. */
  reserve(size: number): Buffer {
    const end = this.#length + size;
    if (end > this.#buffer.length) {
      const larger = Buffer.alloc(Math.max(end, this.#buffer.length * 2));
      this.#buffer.copy(larger, 0, 0, this.#length);
      this.#buffer = larger;
    }
    const room = this.#buffer.subarray(this.#length, end);
    this.#length = end;
    return room;
  }

  patchUInt32(value: number, at: number): void {
    this.#buffer.writeUInt32LE(value, at);
  }

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }
}

function writeValue(writer: Writer, type: DbusType, value: DbusValue): void {
  switch (type.is) {
    case "basic":
      writeBasic(writer, type.code, value);
      break;
    case "variant":
      writeVariant(writer, value);
      break;
    case "array":
      writeArray(writer, type.element, value);
      break;
    case "struct":
      writeFields(writer, type.fields, value);
      break;
    case "entry":
      writeFields(writer, [type.key, type.value], value);
      break;
  }
}

function writeFields(writer: Writer, types: readonly DbusType[], value: DbusValue): void {
  const fields = listOf(value, "a struct");
  if (fields.length !== types.length) {
    throw new Fault("invalid", `a D-Bus struct of ${types.length} fields got ${fields.length}`);
  }
  writer.align(8);
  types.forEach((type, i) => {
    writeValue(writer, type, present(fields[i], "a struct"));
  });
}

function writeVariant(writer: Writer, value: DbusValue): void {
  if (!isVariant(value)) throw misfit("v", value);
  writeSignature(writer, value.signature);
  writeValue(writer, parseSingleType(value.signature), value.value);
}

function writeArray(writer: Writer, element: DbusType, value: DbusValue): void {
  writer.align(4);
  const lengthAt = writer.length;
  writer.reserve(4);
  writer.align(alignmentOf(element)); // this padding does not count as content
  const start = writer.length;
  if (value instanceof Uint8Array) {
    if (element.is !== "basic" || element.code !== "y") throw misfit("an array", value);
    writer.reserve(value.length).set(value);
  } else {
    for (const item of listOf(value, "an array")) writeValue(writer, element, item);
  }
  writer.patchUInt32(writer.length - start, lengthAt);
}

function writeBasic(writer: Writer, code: BasicCode, value: DbusValue): void {
  switch (code) {
    case "s":
    case "o":
      writeText(writer, textOf(code, value));
      break;
    case "g":
      writeSignature(writer, textOf(code, value));
      break;
    case "b":
      if (typeof value !== "boolean") throw misfit(code, value);
      writeFixed(writer, "u", value ? 1 : 0);
      break;
    default:
      writeFixed(writer, code, value);
  }
}

function writeFixed(writer: Writer, code: Exclude<BasicCode, "s" | "o" | "g" | "b">, value: DbusValue): void {
  const { size, put } = fixed[code];
  writer.align(size);
  try {
    put(writer.reserve(size), value);
  } catch (cause) {
    throw misfit(code, value, cause);
  }
}

// Node's own checks refuse what is out of range and what is no bigint, but they round numbers and convert text.
const fixed = {
  y: { size: 1, put: (to: Buffer, value: DbusValue) => to.writeUInt8(integer(value)) },
  n: { size: 2, put: (to: Buffer, value: DbusValue) => to.writeInt16LE(integer(value)) },
  q: { size: 2, put: (to: Buffer, value: DbusValue) => to.writeUInt16LE(integer(value)) },
  i: { size: 4, put: (to: Buffer, value: DbusValue) => to.writeInt32LE(integer(value)) },
  u: { size: 4, put: (to: Buffer, value: DbusValue) => to.writeUInt32LE(integer(value)) },
  h: { size: 4, put: (to: Buffer, value: DbusValue) => to.writeUInt32LE(integer(value)) },
  x: { size: 8, put: (to: Buffer, value: DbusValue) => to.writeBigInt64LE(value as bigint) },
  t: { size: 8, put: (to: Buffer, value: DbusValue) => to.writeBigUInt64LE(value as bigint) },
  d: { size: 8, put: (to: Buffer, value: DbusValue) => to.writeDoubleLE(double(value)) },
} as const;

function integer(value: DbusValue): number {
  if (!Number.isSafeInteger(value)) throw new RangeError("not an integer");
  return value as number;
}

function double(value: DbusValue): number {
  if (typeof value !== "number") throw new TypeError("not a number");
  return value;
}

function writeText(writer: Writer, text: string): void {
  const length = Buffer.byteLength(text);
  writer.align(4);
  writer.reserve(4).writeUInt32LE(length);
  writer.reserve(length + 1).write(text); // and the closing NUL
}

function writeSignature(writer: Writer, text: string): void {
  parseSignature(text);
  writer.reserve(1).writeUInt8(text.length);
  writer.reserve(text.length + 1).write(text);
}

function textOf(code: "s" | "o" | "g", value: DbusValue): string {
  if (typeof value !== "string" || value.includes("\0") || !value.isWellFormed()) throw misfit(code, value);
  if (code === "o" && !isObjectPath(value)) throw misfit(code, value);
  return value;
}

/** Whether `text` is an object path of the specification: `/`, or `/` and names of letters, digits and `_`. */
export function isObjectPath(text: string): boolean {
  return text === "/" || /^(?:\/[A-Za-z0-9_]+)+$/.test(text);
}

function listOf(value: DbusValue, what: string): readonly DbusValue[] {
  if (!Array.isArray(value)) throw misfit(what, value);
  return value;
}

function present(value: DbusValue | undefined, what: string): DbusValue {
  if (value === undefined) throw new Fault("invalid", `a value of ${what} is missing`);
  return value;
}

function misfit(type: string, value: DbusValue, cause?: unknown): Fault {
  const shown = typeof value === "object" ? typeof value : String(value).slice(0, 100);
  return new Fault("invalid", `not a value of D-Bus type ${type}: ${JSON.stringify(shown)}`, { cause });
}
