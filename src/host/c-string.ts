import { Fault } from "../base/index.ts";

/** A file name for the kernel: text, or raw bytes for names that are not UTF-8 (tar archives have them). */
export type KernelPath = string | Uint8Array;

/**
 * `text` as an argument for C, where NUL ends a string: one that contains NUL would name a different thing than
 * whoever checked it saw, and is refused with Fault("invalid").
 */
export function cString(text: KernelPath): KernelPath {
  if (typeof text === "string") {
    if (text.includes("\0")) throw new Fault("invalid", `a name with a NUL byte in it: ${shown(text)}`);
    return text;
  }
  if (text.includes(0)) throw new Fault("invalid", `a name with a NUL byte in it: ${shown(text)}`);
  const terminated = new Uint8Array(text.length + 1);
  terminated.set(text);
  return terminated;
}

/** `text` for an error message: bytes as UTF-8, at most 512 characters. */
export function shown(text: KernelPath): string {
  const whole = typeof text === "string" ? text : Buffer.from(text).toString("utf8");
  return whole.length > 512 ? `${whole.slice(0, 512)}…` : whole;
}
