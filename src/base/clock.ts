/** The time, as a dependency: tests bring their own. */
export interface Clock {
  /** Nanoseconds since the epoch. */
  nowNs(): bigint;
}

/** The machine's clock, never giving the same instant twice, so that creation times order what was created. */
export function systemClock(): Clock {
  let last = 0n;
  return {
    nowNs() {
      const offset = process.hrtime.bigint() % 1_000_000n;
      const now = BigInt(Date.now()) * 1_000_000n + offset;
      last = now > last ? now : last + 1n;
      return last;
    },
  };
}

/** RFC 3339 with nanoseconds and `Z`, as Go writes a time: trailing zeros of the fraction are dropped. */
export function rfc3339FromNs(ns: bigint): string {
  const seconds = ns / 1_000_000_000n;
  const fraction = String(ns % 1_000_000_000n)
    .padStart(9, "0")
    .replace(/0+$/, "");
  const base = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  return fraction === "" ? `${base}Z` : `${base}.${fraction}Z`;
}

/** The zero value of Go's time, which its JSON writes for "never". */
export const goZeroTime = "0001-01-01T00:00:00Z";

/** Nanoseconds since the epoch of an RFC 3339 time with any offset; 0n for Go's zero time. Throws on anything else. */
export function nsFromRfc3339(text: string): bigint {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text);
  const [, base, fraction = "", zone] = match ?? [];
  const ms = base === undefined ? Number.NaN : Date.parse(`${base}${zone}`);
  if (Number.isNaN(ms)) throw new RangeError(`not a time of RFC 3339: ${JSON.stringify(text.slice(0, 64))}`);
  if (base?.startsWith("0001-")) return 0n;
  return BigInt(ms) * 1_000_000n + BigInt(fraction.padEnd(9, "0"));
}
