import { Fault } from "./fault.ts";

/**
 * Parses a regular expression as Go would write it: the same as JavaScript's but for flags at its beginning, such as `(?i)`.
 * Throws `Fault("invalid")` with the engine's words.
 */
export function parseGoRegExp(text: string): RegExp {
  const [, flags = "", source = text] = /^\(\?([ims]+)\)(.*)$/s.exec(text) ?? [];
  try {
    return new RegExp(source, [...new Set(flags)].join(""));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Fault("invalid", `error parsing regular expression ${JSON.stringify(text)}: ${reason}`, { cause: error });
  }
}
