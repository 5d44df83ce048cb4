import { Fault, type LogLevel } from "../base/index.ts";

const levels: ReadonlyMap<string, LogLevel> = new Map([
  ["trace", "trace"],
  ["debug", "debug"],
  ["info", "info"],
  ["warn", "warn"],
  ["warning", "warn"],
  ["error", "error"],
  ["fatal", "fatal"],
  ["panic", "fatal"],
]);

/** Parses a level of `log_level`, in upper or lower case. `panic` is `fatal`. Throws `Fault("invalid")`. */
export function parseLogLevel(text: string): LogLevel {
  const level = levels.get(text.toLowerCase());
  if (level === undefined) {
    throw new Fault("invalid", `not a valid log level: ${JSON.stringify(text)} (use ${[...levels.keys()].join(", ")})`);
  }
  return level;
}

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
    throw new Fault("invalid", `error parsing log filter ${JSON.stringify(text)}: ${reason}`, { cause: error });
  }
}
