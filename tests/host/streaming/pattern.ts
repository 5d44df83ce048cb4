import { createHash } from "node:crypto";

/** So many bytes that never repeat in a way that a lost or doubled piece could hide behind. */
export function* pattern(bytes: number): Generator<Buffer> {
  let state = 1;
  for (let made = 0; made < bytes; made += 65_536) {
    const piece = Buffer.alloc(Math.min(65_536, bytes - made));
    for (let offset = 0; offset + 4 <= piece.length; offset += 4) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      piece.writeUInt32LE(state, offset);
    }
    yield piece;
  }
}

/** The SHA-256 of the pattern. */
export function patternDigest(bytes: number): string {
  const hash = createHash("sha256");
  for (const piece of pattern(bytes)) hash.update(piece);
  return hash.digest("hex");
}
