import { parseGoRegExp } from "../base/index.ts";
import { type Config, parseLogLevel } from "../config/index.ts";
import { type Log, parseLogFormat, setUpLog } from "./log.ts";
import type { Terminal } from "./terminal.ts";

/** The log as the configuration wants it. */
export async function configuredLog(config: Config, terminal: Terminal): Promise<Log> {
  return await setUpLog({
    write: terminal.err,
    level: parseLogLevel(config.runtime.logLevel),
    filter: logFilter(config),
    format: parseLogFormat(config.invocation.logFormat),
    file: config.invocation.log,
  });
}

/** What a line's message must match to be logged. */
export function logFilter({ runtime }: Config): RegExp | undefined {
  return runtime.logFilter === "" ? undefined : parseGoRegExp(runtime.logFilter);
}
