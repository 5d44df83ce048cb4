/**
 * CRC-64 with the ISO 3309 polynomial x⁶⁴ + x⁴ + x³ + x + 1, reflected, as Go's `crc64.ISO` table computes it: the
 * checksum of a file's content in tar-split.
 *
 * The polynomial has so few terms that eight bytes are folded at once: multiplying the 64-bit word w by x⁶⁴ is
 * w·(x⁴+x³+x+1), which is w xor-ed with itself shifted by 1, 3 and 4; the four bits that fall off come back through `folds`.
 */
export class Crc64 {
  readonly #folds = foldTable();
  #high = 0xffffffff | 0;
  #low = 0xffffffff | 0;

  /** Starts over, for the next file. */
  reset(): void {
    this.#high = 0xffffffff | 0;
    this.#low = 0xffffffff | 0;
  }

  update(bytes: Uint8Array): void {
    const folds = this.#folds;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const words = bytes.length & ~7;
    let high = this.#high;
    let low = this.#low;
    let at = 0;
    for (; at < words; at += 8) {
      const l = low ^ view.getInt32(at, true);
      const h = high ^ view.getInt32(at + 4, true);
      low = l ^ ((l >>> 1) | (h << 31)) ^ ((l >>> 3) | (h << 29)) ^ ((l >>> 4) | (h << 28));
      high = h ^ (h >>> 1) ^ (h >>> 3) ^ (h >>> 4) ^ (folds[l & 15] ?? 0);
    }
    for (; at < bytes.length; at++) {
      low ^= bytes[at] ?? 0;
      for (let bit = 0; bit < 8; bit++) {
        const out = low & 1;
        low = (low >>> 1) | (high << 31);
        high = (high >>> 1) ^ (out === 1 ? polynomial : 0);
      }
    }
    this.#high = high;
    this.#low = low;
  }

  /** The checksum so far: eight bytes, big endian. */
  digest(): Buffer {
    const sum = Buffer.alloc(8);
    sum.writeInt32BE(~this.#high, 0);
    sum.writeInt32BE(~this.#low, 4);
    return sum;
  }
}

/** x⁴ + x³ + x + 1 in the upper half of a reflected word, where bit 31 stands for x⁰. */
const polynomial = 0xd8000000 | 0;

/** For the four bits that the shifts push out below bit 0 (x⁶⁴ and up): what they amount to below x⁶⁴. */
function foldTable(): Int32Array {
  const table = new Int32Array(16);
  for (let bits = 0; bits < 16; bits++) {
    const b = (n: number) => (bits >>> n) & 1;
    const overflow = [b(0) ^ b(2) ^ b(3), b(1) ^ b(2), b(0) ^ b(1), b(0)]; // coefficients of x⁶⁴ … x⁶⁷
    for (const [degree, coefficient] of overflow.entries()) {
      if (coefficient === 1) table[bits] = (table[bits] ?? 0) ^ (polynomial >>> degree);
    }
  }
  return table;
}
