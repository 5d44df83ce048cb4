import { parse, TomlError } from "smol-toml";
import { Fault } from "../base/index.ts";

/**
 * Parses a TOML 1.0 document, such as crio.conf, storage.conf or registries.conf.
 *
 * Every integer is a `bigint` (so nothing loses precision, and 1 differs from 1.0) and every float a `number`; dates are objects.
 * All tables have no prototype, so a key is only there when the file has it and `__proto__` is a key like any other.
 * Throws `Fault("invalid")` with the file name, the line and the column.
 */
export function parseToml(text: string, fileName: string): Record<string, unknown> {
  try {
    return parse(text, { integersAsBigInt: true, maxDepth: 64 });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const message = `${fileName}: line ${error.line}, column ${error.column}: ${firstLineOf(error.message)}`;
    throw new Fault("invalid", message, { cause: error });
  }
}

/** The parser's own sentence; the excerpt of the file that follows it is left out, for log lines are one line. */
function firstLineOf(message: string): string {
  return (message.split("\n", 1)[0] ?? message).replace(/^Invalid TOML document: /, "");
}
