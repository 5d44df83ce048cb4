import type { Environment } from "../config/index.ts";

/** The world as a command sees it; tests bring their own. */
export interface Terminal {
  /** Writes to standard output. */
  out(text: string): void;
  /** Writes to standard error. */
  err(text: string): void;
  /** Width for text that is wrapped. */
  readonly columns: number;
  readonly env: Environment;
}

/** The terminal of this process. A reader that has gone away ends the process, as SIGPIPE would; a log without reader does not. */
export function processTerminal(): Terminal {
  process.stdout.on("error", () => process.exit(141));
  process.stderr.on("error", () => {});
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    columns: Math.min(Math.max(process.stdout.columns ?? 100, 60), 120),
    env: process.env,
  };
}
