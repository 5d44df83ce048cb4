import { Fault } from "../../base/index.ts";

/**
 * The number in bytes `from` to `to` of a tar header: octal digits framed by spaces or NULs, or GNU's base 256 when the
 * first byte has its top bit set (two's complement). Throws Fault("corrupt") for anything else and for what a double
 * cannot hold exactly.
 */
export function headerNumber(block: Uint8Array, from: number, to: number, what: string): number {
  return ((block[from] ?? 0) & 0x80) === 0 ? octal(block, from, to, what) : base256(block.subarray(from, to), what);
}

function octal(block: Uint8Array, from: number, to: number, what: string): number {
  let first = from;
  let end = to;
  while (first < end && isPadding(block[first])) first++;
  while (end > first && isPadding(block[end - 1])) end--;
  let value = 0;
  for (let at = first; at < end; at++) {
    const byte = block[at] ?? 0;
    if (byte === 0) break;
    const digit = byte - 0x30;
    if (digit < 0 || digit > 7) throw unreadable(what);
    value = value * 8 + digit;
  }
  return value;
}

function isPadding(byte: number | undefined): boolean {
  return byte === 0 || byte === 0x20;
}

function base256(field: Uint8Array, what: string): number {
  const negative = ((field[0] ?? 0) & 0x40) !== 0;
  let value = negative ? -1n : 0n;
  for (const [at, byte] of field.entries()) {
    const bits = at === 0 ? byte & 0x3f : byte;
    value = (value << (at === 0 ? 6n : 8n)) | BigInt(bits);
  }
  if (value > maxExact || value < -maxExact) throw unreadable(what);
  return Number(value);
}

const maxExact = BigInt(Number.MAX_SAFE_INTEGER);

/** A whole decimal number of a PAX record, such as `size` or `uid`. Throws Fault("corrupt"). */
export function paxInteger(text: string, what: string): number {
  const value = /^[+-]?\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw unreadable(what);
  return value;
}

/** A time of a PAX record, `seconds[.fraction]`, in nanoseconds since the epoch; further digits are cut off. Throws Fault("corrupt"). */
export function paxTime(text: string, what: string): bigint {
  const match = /^([+-]?)(\d{1,16})(?:\.(\d{0,64}))?$/.exec(text);
  const [, sign, seconds, fraction = ""] = match ?? [];
  if (seconds === undefined) throw unreadable(what);
  const ns = BigInt(seconds) * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, "0"));
  return sign === "-" ? -ns : ns;
}

function unreadable(what: string): Fault {
  return new Fault("corrupt", `the header's ${what} is not a number that tar knows`);
}
