import { Fault } from "../base/index.ts";

const suffixes: ReadonlyMap<string, bigint> = new Map([
  ["", 1n],
  ["k", 1000n],
  ["M", 1000n ** 2n],
  ["G", 1000n ** 3n],
  ["T", 1000n ** 4n],
  ["Ki", 1n << 10n],
  ["Mi", 1n << 20n],
  ["Gi", 1n << 30n],
  ["Ti", 1n << 40n],
]);

/** Bytes of a size in Kubernetes' quantity format, whole numbers only: `128Mi`. Rejects what is not one, and what is not above 0. */
export function parseShmSize(text: string): bigint {
  const [, sign = "", digits, suffix = ""] = /^([+-]?)(\d{1,18})([A-Za-z]{0,2})$/.exec(text.trim()) ?? [];
  const unit = suffixes.get(suffix);
  if (digits === undefined || unit === undefined) {
    throw new Fault(
      "invalid",
      `failed to parse shm size '${text.slice(0, 80)}': write it as a quantity, such as 128Mi`,
    );
  }
  const size = BigInt(digits) * unit * (sign === "-" ? -1n : 1n);
  if (size <= 0n) throw new Fault("invalid", `shm size ${size} must be greater than 0`);
  return size;
}
