/** No counter of the kernel has more digits: 2^64 - 1 has twenty. */
const countPattern = /^\d{1,20}$/;

/** A counter or size, as the kernel writes it alone on a line; undefined for anything else. */
export function parseCount(text: string | undefined): bigint | undefined {
  const digits = text?.trim() ?? "";
  return countPattern.test(digits) ? BigInt(digits) : undefined;
}

/** Above this v1 means "no limit": the largest multiple of any page size that fits its counters. */
const v1Unlimited = 2n ** 63n - 2n ** 16n;

/** A limit of either version; undefined for `max`, for v1's way to say it, and for anything else. */
export function parseLimit(text: string | undefined): bigint | undefined {
  const limit = parseCount(text);
  return limit === undefined || limit >= v1Unlimited ? undefined : limit;
}

/** Lines of `name value`, as in memory.stat, cpu.stat, memory.events. Other lines are passed over. */
export function parseKeyed(text: string | undefined): ReadonlyMap<string, bigint> {
  const values = new Map<string, bigint>();
  for (const line of text?.split("\n") ?? []) {
    const [name, value, ...rest] = line.trim().split(" ");
    const count = parseCount(value);
    if (name !== undefined && count !== undefined && rest.length === 0) values.set(name, count);
  }
  return values;
}
