import { createLogger, Fault, type Logger, type LogLevel, reasonOf } from "../base/index.ts";
import type { Note } from "../config/index.ts";
import { openLogFile } from "./log-file.ts";

/** The daemon's own log, and the knobs a reload turns. */
export interface Log extends AsyncDisposable {
  readonly logger: Logger;
  setLevel(level: LogLevel): void;
  setFilter(filter: RegExp | undefined): void;
  /** Logs what loading the configuration had to say. */
  notes(notes: readonly Note[]): void;
  /** The last words in the file, if there is one; standard error gets them from whoever ends the process. */
  fatal(error: unknown): void;
}

export interface LogSetup {
  /** Where lines go, unless there is a file. */
  readonly write: (line: string) => void;
  readonly level?: LogLevel;
  readonly filter?: RegExp | undefined;
  readonly format?: "text" | "json";
  /** A file to append to; empty for none. */
  readonly file?: string;
  /** Text without timestamps, for commands that people run. */
  readonly plain?: boolean;
}

/** Builds the log. Rejects with a Fault when the file cannot be opened. Disposing waits until every line is in the file. */
export async function setUpLog(setup: LogSetup): Promise<Log> {
  let { level = "info", filter } = setup;
  const file = setup.file === undefined || setup.file === "" ? undefined : await openLogFile(setup.file);
  const write = file === undefined ? setup.write : (line: string) => file.write(line);
  const logger = createLogger({
    level: () => level,
    filter: () => filter,
    format: setup.format ?? "text",
    write: setup.plain === true ? (line) => write(withoutTime(line)) : write,
  });
  return {
    logger,
    setLevel(next) {
      level = next;
    },
    setFilter(next) {
      filter = next;
    },
    notes(notes) {
      for (const { level: noteLevel, message, fields } of notes) logger[noteLevel](message, fields);
    },
    fatal(error) {
      file?.write(fatalLine(error, setup));
    },
    async [Symbol.asyncDispose]() {
      await file?.close();
    },
  };
}

/** Parses `--log-format`. Throws `Fault("invalid")`. */
export function parseLogFormat(text: string): "text" | "json" {
  if (text === "text" || text === "json") return text;
  throw new Fault("invalid", `unknown log-format ${JSON.stringify(text)}: must be text or json`);
}

/** The last words of a command that failed: `time="…" level=fatal msg="…"`. */
export function fatalLine(error: unknown, form: Pick<LogSetup, "format" | "plain"> = {}): string {
  let line = "";
  const write = (text: string) => {
    line = text.replace(/ level=error |"level":"error"/, (level) => level.replace("error", "fatal"));
  };
  createLogger({ level: () => "error", format: form.format ?? "text", write }).error(reasonOf(error)); // a Logger has no fatal
  return form.plain === true ? withoutTime(line) : line;
}

function withoutTime(line: string): string {
  return line.replace(/^time="[^"]*" /, "");
}
