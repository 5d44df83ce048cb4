import { Fault, reasonOf } from "../../base/index.ts";
import { loadConfig, parseDurationMs } from "../../config/index.ts";
import { type Call, flagText, isOn } from "../command.ts";
import { configuredLog } from "../configured-log.ts";

/** `crio check`: damage of the storage directory, as exit status 1 and in words. */
export async function runCheck({ terminal, globals, flags }: Call): Promise<void> {
  const ageMs = parseAge(flagText(flags, "age", defaultAge));
  const { config, notes } = await loadConfig({ flags: globals, env: terminal.env });
  await using log = await configuredLog(config, terminal);
  log.notes(notes);
  const { check } = await import("../../daemon/index.ts");
  await check({
    config,
    ageMs,
    quick: isOn(flags, "quick"),
    repair: isOn(flags, "repair"),
    force: isOn(flags, "force"),
    wipe: isOn(flags, "wipe"),
    log: log.logger,
  });
}

export const defaultAge = "24h";

/** A duration, or seconds without unit; before or after makes no difference. Throws `Fault("invalid")`. */
export function parseAge(text: string): number {
  try {
    return Math.abs(parseDurationMs(/^[-+]?\d+$/.test(text) ? `${text}s` : text));
  } catch (error) {
    throw new Fault("invalid", `invalid value ${JSON.stringify(text)} for flag -age: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}
