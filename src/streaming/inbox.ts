import { limits } from "./limits.ts";

const smallBytes = 4096;
const mergedBytes = 64 << 10;

/** What was taken out of an inbox, and the cost that it had in there. */
export interface Taken {
  readonly bytes: Buffer;
  readonly cost: number;
}

/** What has arrived on a stream and was not read yet, in order. Its cost is its bytes and a charge for each piece. */
export class Inbox {
  #pieces: Buffer[] = [];
  #next = 0;
  #cost = 0;

  get cost(): number {
    return this.#cost;
  }

  get isEmpty(): boolean {
    return this.#next === this.#pieces.length;
  }

  /** Keeps a piece and returns its cost. */
  add(bytes: Buffer): number {
    // A small piece would keep the whole chunk alive that it was cut from.
    this.#pieces.push(bytes.length < smallBytes ? Buffer.from(bytes) : bytes);
    const cost = bytes.length + limits.pieceCost;
    this.#cost += cost;
    return cost;
  }

  /** The oldest piece, with those that follow as long as they are small; undefined when there is none. */
  take(): Taken | undefined {
    const taken: Buffer[] = [];
    let length = 0;
    for (let piece = this.#pieces[this.#next]; piece !== undefined; piece = this.#pieces[this.#next]) {
      if (taken.length > 0 && length + piece.length > mergedBytes) break;
      taken.push(piece);
      length += piece.length;
      this.#next++;
    }
    if (this.#next === this.#pieces.length) {
      this.#pieces = [];
      this.#next = 0;
    }
    const [first] = taken;
    if (first === undefined) return undefined;
    const cost = length + taken.length * limits.pieceCost;
    this.#cost -= cost;
    return { bytes: taken.length === 1 ? first : Buffer.concat(taken, length), cost };
  }

  /** Forgets everything and returns what it cost. */
  clear(): number {
    const cost = this.#cost;
    this.#pieces = [];
    this.#next = 0;
    this.#cost = 0;
    return cost;
  }
}
