import { Fault } from "../../base/index.ts";

/** The records of one PAX extended header. Keys are untrusted text; values stay bytes, since attributes are binary. */
export type PaxRecords = ReadonlyMap<string, Uint8Array>;

/**
 * Reads `<length> <key>=<value>\n` records; a later one wins over an earlier one with its key.
 * Throws Fault("corrupt") for a body that is not made of such records from its first to its last byte.
 */
export function parsePaxRecords(body: Uint8Array): PaxRecords {
  const records = new Map<string, Uint8Array>();
  for (let at = 0; at < body.length; ) {
    const { key, value, next } = recordAt(body, at);
    records.set(key, value);
    at = next;
  }
  return records;
}

/** Digits of the length of a record that fits any header we accept. */
const maxLengthDigits = 8;

function recordAt(body: Uint8Array, at: number): { key: string; value: Uint8Array; next: number } {
  let length = 0;
  let space = at;
  for (; body[space] !== 0x20; space++) {
    const digit = (body[space] ?? 0) - 0x30;
    if (!(digit >= 0 && digit <= 9) || space - at >= maxLengthDigits) throw malformed();
    length = length * 10 + digit;
  }
  const next = at + length;
  if (space === at || next > body.length || next <= space + 1 || body[next - 1] !== 0x0a) throw malformed();
  const equals = body.indexOf(0x3d, space + 1);
  if (equals === -1 || equals >= next || equals === space + 1) throw malformed();
  const key = Buffer.from(body.subarray(space + 1, equals)).toString("utf8");
  return { key, value: body.subarray(equals + 1, next - 1), next };
}

function malformed(): Fault {
  return new Fault("corrupt", "a PAX header that is not made of `length key=value` records");
}

/** The text of a record; undefined when it is absent or empty, which in PAX takes an earlier value back. */
export function paxText(records: PaxRecords, key: string): string | undefined {
  const value = records.get(key);
  return value === undefined || value.length === 0 ? undefined : Buffer.from(value).toString("utf8");
}

/** The bytes of a name in a record; undefined as in `paxText`. Throws Fault("invalid") for one with NUL, where C would cut it. */
export function paxName(records: PaxRecords, key: string): Uint8Array | undefined {
  const value = records.get(key);
  if (value === undefined || value.length === 0) return undefined;
  if (value.includes(0)) throw new Fault("invalid", `a PAX ${key} with a NUL byte in it`);
  return value;
}
