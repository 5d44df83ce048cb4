import { limits } from "./limits.ts";

interface Payer {
  readonly cost: number;
  readonly go: () => void;
}

/**
 * What all sessions together may carry in one turn of the event loop. Whatever carries a piece pays for it before it goes on; when the
 * turn is spent it goes on in a later one, in order, and the daemon's other calls are answered in between. The number of bytes a
 * second stays the same: a turn is as short as what is done in it.
 */
export class Turn {
  readonly #limit: number;
  readonly #waiting: Payer[] = [];
  #paid = 0;
  #endsSoon = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Calls `go` once the piece is paid for: at once, or in a later turn. */
  pay(bytes: number, go: () => void): void {
    if (this.#mayGoOn) {
      this.#add(costOf(bytes));
      go();
    } else {
      this.#waiting.push({ cost: costOf(bytes), go });
    }
  }

  /** As `pay`; undefined when nothing has to be waited for. */
  paid(bytes: number): Promise<void> | undefined {
    if (!this.#mayGoOn) return new Promise((resolve) => this.pay(bytes, resolve));
    this.#add(costOf(bytes));
    return undefined;
  }

  /** Whoever has just gone on does not do so again before those that wait. */
  get #mayGoOn(): boolean {
    return this.#paid < this.#limit && this.#waiting.length === 0;
  }

  #add(cost: number): void {
    this.#paid += cost;
    if (this.#endsSoon) return;
    this.#endsSoon = true;
    setImmediate(() => this.#next());
  }

  #next(): void {
    this.#endsSoon = false;
    this.#paid = 0;
    let first = 0;
    for (; this.#paid < this.#limit; first++) {
      const payer = this.#waiting[first];
      if (payer === undefined) break;
      this.#add(payer.cost);
      payer.go();
    }
    this.#waiting.splice(0, first);
  }
}

function costOf(bytes: number): number {
  return bytes + limits.turnPieceCost;
}

/** There is one event loop, and so one turn for all servers. */
export const turn = new Turn(limits.turnBytes);
