import { Fault } from "../base/index.ts";

const powers = "kmgtp";

/**
 * Parses an amount of memory as Docker and CRI-O write it: `12MiB`, `500k`, `1.5g`; units are powers of 1024 whether or not
 * they say so. Returns bytes. Throws `Fault("invalid")`.
 */
export function parseMemorySize(text: string): bigint {
  const [, whole, fraction = "", letter = ""] = /^(\d{1,18})(?:\.(\d{1,9}))? ?([kmgtp])?i?b?$/i.exec(text) ?? [];
  if (whole === undefined) throw new Fault("invalid", `invalid size: ${JSON.stringify(text.slice(0, 64))}`);
  const unit = 1024n ** BigInt(letter === "" ? 0 : powers.indexOf(letter.toLowerCase()) + 1);
  return BigInt(whole) * unit + (BigInt(fraction || "0") * unit) / 10n ** BigInt(fraction.length);
}
