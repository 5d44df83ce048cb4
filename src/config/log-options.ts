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
