export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal";

export type LogFields = Readonly<Record<string, unknown>>;

/**
 * A fixed sentence and fields: `log.info("pod ready", { pod: id, ips })`.
 * `error`: someone must act. `warn`: someone should know. `info`: lifecycle. `debug`: the rest.
 */
export interface Logger {
  trace(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger whose every line carries `fields` too. */
  with(fields: LogFields): Logger;
}

const order: readonly LogLevel[] = ["trace", "debug", "info", "warn", "error", "fatal"];

/** Whether a line of `level` is written by a logger set to `threshold`. */
export function isLogged(level: LogLevel, threshold: LogLevel): boolean {
  return order.indexOf(level) >= order.indexOf(threshold);
}

export interface LoggerOptions {
  /** Asked at every line, so that a reload takes effect at once. */
  readonly level: () => LogLevel;
  readonly format: "text" | "json";
  readonly write: (line: string) => void;
  readonly now?: () => Date;
  /** Lines whose message does not match are dropped (`log_filter`). */
  readonly filter?: () => RegExp | undefined;
}

/** A Logger in logrus' text format (`time="…" level=info msg="…" key=value`) or as JSON lines. */
export function createLogger(options: LoggerOptions, bound: LogFields = {}): Logger {
  const at = (level: LogLevel) => (message: string, fields?: LogFields) => {
    if (!isLogged(level, options.level())) return;
    const filter = options.filter?.();
    if (filter !== undefined && !filter.test(message)) return;
    const time = rfc3339(options.now?.() ?? new Date());
    const all = { ...bound, ...fields };
    options.write(
      options.format === "json" ? jsonLine(time, level, message, all) : textLine(time, level, message, all),
    );
  };
  return {
    trace: at("trace"),
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    with: (fields) => createLogger(options, { ...bound, ...fields }),
  };
}

/** A Logger that says nothing. */
export const silentLogger: Logger = createLogger({ level: () => "fatal", format: "text", write: () => {} });

function textLine(time: string, level: LogLevel, message: string, fields: LogFields): string {
  const word = level === "warn" ? "warning" : level;
  let line = `time=${quoted(time)} level=${word} msg=${quoted(message)}`;
  for (const [key, value] of Object.entries(fields)) {
    if (value !== undefined) line += ` ${key}=${plainOrQuoted(textOf(value))}`;
  }
  return `${line}\n`;
}

function jsonLine(time: string, level: LogLevel, message: string, fields: LogFields): string {
  const plain = Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [key, typeof value === "object" ? textOf(value) : value]),
  );
  const word = level === "warn" ? "warning" : level;
  const text = JSON.stringify({ ...plain, level: word, msg: message, time }, (_key, value) =>
    typeof value === "bigint" ? value.toString() : value,
  );
  return `${text}\n`;
}

function textOf(value: unknown): string {
  if (value instanceof Error) return value.message;
  if (typeof value === "object" && value !== null) {
    return JSON.stringify(value, (_key, inner) => (typeof inner === "bigint" ? inner.toString() : inner));
  }
  return String(value);
}

function plainOrQuoted(text: string): string {
  return /^[A-Za-z0-9\-._/@^+:]+$/.test(text) ? text : quoted(text);
}

function quoted(text: string): string {
  return JSON.stringify(text);
}

function rfc3339(date: Date): string {
  const minutes = -date.getTimezoneOffset();
  const local = new Date(date.getTime() + minutes * 60_000).toISOString().slice(0, -1);
  if (minutes === 0) return `${local}000000Z`;
  const sign = minutes < 0 ? "-" : "+";
  const two = (n: number) => String(Math.floor(Math.abs(n))).padStart(2, "0");
  return `${local}000000${sign}${two(minutes / 60)}:${two(Math.abs(minutes) % 60)}`;
}
