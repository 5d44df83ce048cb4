import { Fault } from "../base/index.ts";

const trueWords: readonly string[] = ["1", "t", "T", "TRUE", "true", "True"];
const falseWords: readonly string[] = ["0", "f", "F", "FALSE", "false", "False"];

/** Parses a boolean as Go's flag package does. Throws `Fault("invalid")` with its words. */
export function parseGoBool(text: string): boolean {
  if (trueWords.includes(text)) return true;
  if (falseWords.includes(text)) return false;
  throw new Fault("invalid", "parse error");
}

/**
 * Parses an integer as Go's flag package does: `0x`, `0o` and `0b` prefixes, a leading zero for octal, `_` between digits.
 * Throws `Fault("invalid")` with its words, also for what does not fit 64 bits.
 */
export function parseGoInt(text: string): bigint {
  const [, sign, prefix = "", digits = ""] =
    /^([+-]?)(0[xXoObB]_?|0_?(?=[0-9]))?([0-9a-fA-F]+(?:_[0-9a-fA-F]+)*)$/.exec(text) ?? [];
  const base = prefix.slice(1, 2).toLowerCase();
  const allowed = digitsOf(prefix === "" ? "" : base === "x" || base === "b" ? base : "o");
  if (digits === "" || !allowed.test(digits)) throw new Fault("invalid", "parse error");
  const literal = prefix === "" ? "" : base === "x" || base === "b" ? `0${base}` : "0o";
  const value = BigInt(`${literal}${digits.replaceAll("_", "")}`);
  const signed = sign === "-" ? -value : value;
  if (BigInt.asIntN(64, signed) !== signed) throw new Fault("invalid", "value out of range");
  return signed;
}

function digitsOf(base: string): RegExp {
  if (base === "x") return /^[0-9a-fA-F_]+$/;
  if (base === "b") return /^[01_]+$/;
  return base === "o" ? /^[0-7_]+$/ : /^[0-9_]+$/;
}
