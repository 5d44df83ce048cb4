/** Messages as they travel: enough of protobuf's encoding to write what no encoder would. */

/** One occurrence of a field in a message. */
export interface Occurrence {
  readonly number: number;
  /** 0: a number; 2: bytes. Requests of CRI have no others. */
  readonly value: bigint | Uint8Array;
  /** The bytes of the whole field where they are not those of number and value. */
  readonly raw?: Uint8Array;
}

export function varint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  return Uint8Array.of(...bytes, Number(rest));
}

export function tag(number: number, wireType: number): Uint8Array {
  return varint((BigInt(number) << 3n) | BigInt(wireType));
}

export function encode(occurrences: readonly Occurrence[]): Uint8Array {
  return Buffer.concat(occurrences.flatMap(encodeOne));
}

function encodeOne({ number, value, raw }: Occurrence): readonly Uint8Array[] {
  if (raw !== undefined) return [raw];
  if (typeof value === "bigint") return [tag(number, 0), varint(value)];
  return [tag(number, 2), varint(BigInt(value.length)), value];
}

/** The fields of a message that an encoder has written. */
export function decode(bytes: Uint8Array): readonly Occurrence[] {
  const occurrences: Occurrence[] = [];
  let at = 0;
  const next = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) throw new Error("the message ends within a number");
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const head = next();
    const number = Number(head >> 3n);
    if ((head & 7n) === 0n) occurrences.push({ number, value: next() });
    else if ((head & 7n) === 2n) {
      const length = Number(next());
      occurrences.push({ number, value: bytes.subarray(at, at + length) });
      at += length;
    } else throw new Error(`wire type ${head & 7n} in a good request`);
  }
  return occurrences;
}
