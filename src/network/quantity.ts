import { Fault } from "../base/index.ts";

const decimalExponents: ReadonlyMap<string, number> = new Map([
  ["n", -9],
  ["u", -6],
  ["m", -3],
  ["", 0],
  ["k", 3],
  ["M", 6],
  ["G", 9],
  ["T", 12],
  ["P", 15],
  ["E", 18],
]);
const binaryPowers = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const maxInt64 = 2n ** 63n - 1n;

/**
 * A Kubernetes quantity (`10M`, `1.5Gi`, `3e6`) as an integer; undefined when it is none that fits 64 bits with a sign, such as `500m`.
 * Throws Fault("invalid") when it is no quantity at all.
 */
export function integerFromQuantity(text: string): bigint | undefined {
  const match = /^([+-]?)(\d{0,40})(?:\.(\d{0,40}))?([numkMGTPE]?|[KMGTPE]i|[eE][+-]?\d{1,3})$/.exec(text);
  const [, sign = "", whole = "", fraction = "", suffix = ""] = match ?? [];
  if (match === null || whole + fraction === "") {
    throw new Fault("invalid", `${JSON.stringify(text.slice(0, 80))} is no quantity such as 10M or 1Gi`);
  }
  const power = binaryPowers.indexOf(suffix);
  const exponent = decimalExponents.get(suffix) ?? (power >= 0 ? 0 : Number(suffix.slice(1)));
  const digits = BigInt(whole + fraction) * (power >= 0 ? 1024n ** BigInt(power + 1) : 1n);
  const value = scaled(digits, exponent - fraction.length);
  if (value === undefined || value > maxInt64) return undefined;
  return sign === "-" ? -value : value;
}

/** `digits` times ten to the power of `exponent`, when that is an integer. */
function scaled(digits: bigint, exponent: number): bigint | undefined {
  if (exponent >= 0) return digits === 0n ? 0n : digits * 10n ** BigInt(exponent);
  const divisor = 10n ** BigInt(-exponent);
  return digits % divisor === 0n ? digits / divisor : undefined;
}
