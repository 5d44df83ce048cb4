/** How many things a message of a Stream* call carries at most (reference: cri.md 1). */
const chunkSize = 3_000;

/** The items in messages' worth, in order; none for an empty list. */
export function* chunksOf<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += chunkSize) yield items.slice(at, at + chunkSize);
}
