/**
 * What `work` makes of each item, in the order of the items, with at most `limit` of them under way. After the first failure, or
 * once `signal` aborts, no further one is begun; rejects with that failure or the signal's reason.
 */
export async function mapAtOnce<T, R>(
  items: readonly T[],
  options: { readonly limit: number; readonly signal?: AbortSignal },
  work: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = [];
  const rest = items.entries();
  let failed = false;
  const lane = async () => {
    for (const [index, item] of rest) {
      options.signal?.throwIfAborted();
      if (failed) return;
      results[index] = await work(item);
    }
  };
  const lanes = Array.from({ length: Math.min(options.limit, items.length) }, lane);
  try {
    await Promise.all(lanes);
  } catch (error) {
    failed = true;
    throw error;
  }
  return results;
}
