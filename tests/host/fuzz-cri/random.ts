/** Numbers that a seed decides. */
export interface Random {
  /** A whole number of 0 to `below` - 1. */
  below(below: number): number;
  pick<T>(things: readonly T[]): T;
  /** The same things in another order. */
  shuffled<T>(things: readonly T[]): readonly T[];
}

/** mulberry32. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return {
    below,
    pick: (things) => {
      const thing = things[below(things.length)];
      if (thing === undefined) throw new Error("nothing to pick from");
      return thing;
    },
    shuffled: (things) => {
      const order = [...things];
      for (let index = order.length - 1; index > 0; index--) {
        const other = below(index + 1);
        const [one, two] = [order[index], order[other]];
        if (one === undefined || two === undefined) continue;
        order[index] = two;
        order[other] = one;
      }
      return order;
    },
  };
}
