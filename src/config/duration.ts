import { Fault } from "../base/index.ts";

const unitNs: ReadonlyMap<string, bigint> = new Map([
  ["ns", 1n],
  ["us", 1_000n],
  ["µs", 1_000n],
  ["μs", 1_000n],
  ["ms", 1_000_000n],
  ["s", 1_000_000_000n],
  ["m", 60_000_000_000n],
  ["h", 3_600_000_000_000n],
]);

const largestNs = 2n ** 63n - 1n;

/**
 * Parses a duration as Go's `time.ParseDuration` does, `1h15m30.5s` for example, into nanoseconds.
 * Throws `Fault("invalid")` with Go's words, also for what does not fit 64 bits.
 */
export function parseDuration(text: string): bigint {
  const [, sign = "", rest = ""] = /^([+-]?)(.*)$/s.exec(text) ?? [];
  if (rest === "0") return 0n;
  if (rest === "" || text.length > 256) throw invalid(text);
  let total = 0n;
  let at = 0;
  while (at < rest.length) {
    const [part, whole = "", fraction = "", unit = ""] = /^(\d*)(?:\.(\d*))?([^\d.]*)/.exec(rest.slice(at)) ?? [""];
    if (whole === "" && fraction === "") throw invalid(text);
    if (unit === "") throw new Fault("invalid", `time: missing unit in duration ${JSON.stringify(text)}`);
    const scale = unitNs.get(unit);
    if (scale === undefined) {
      throw new Fault("invalid", `time: unknown unit ${JSON.stringify(unit)} in duration ${JSON.stringify(text)}`);
    }
    total += BigInt(whole || "0") * scale + (BigInt(fraction || "0") * scale) / 10n ** BigInt(fraction.length);
    at += part.length;
  }
  if (total > largestNs) throw invalid(text);
  return sign === "-" ? -total : total;
}

/** Like `parseDuration`, in milliseconds. */
export function parseDurationMs(text: string): number {
  return msFromNs(parseDuration(text));
}

/** Nanoseconds to milliseconds; exact to the nanosecond up to a hundred days. */
export function msFromNs(ns: bigint): number {
  return Number(ns) / 1e6;
}

/** Writes milliseconds as Go prints a duration: `1m30s`, `1.5s`, `500ms`, `0s`. `parseDurationMs` reads it back. */
export function durationText(ms: number): string {
  const ns = BigInt(Math.round(Math.abs(ms) * 1e6));
  const sign = ms < 0 ? "-" : "";
  if (ns === 0n) return "0s";
  if (ns < 1_000n) return `${sign}${ns}ns`;
  if (ns < 1_000_000n) return `${sign}${decimal(ns, 1_000n)}µs`;
  if (ns < 1_000_000_000n) return `${sign}${decimal(ns, 1_000_000n)}ms`;
  const minutes = ns / 60_000_000_000n;
  const seconds = `${decimal(ns % 60_000_000_000n, 1_000_000_000n)}s`;
  if (minutes === 0n) return `${sign}${seconds}`;
  if (minutes < 60n) return `${sign}${minutes}m${seconds}`;
  return `${sign}${minutes / 60n}h${minutes % 60n}m${seconds}`;
}

function decimal(ns: bigint, unit: bigint): string {
  const digits = String(unit).length - 1;
  const fraction = String(ns % unit)
    .padStart(digits, "0")
    .replace(/0+$/, "");
  return fraction === "" ? String(ns / unit) : `${ns / unit}.${fraction}`;
}

function invalid(text: string): Fault {
  return new Fault("invalid", `time: invalid duration ${JSON.stringify(text.slice(0, 64))}`);
}
