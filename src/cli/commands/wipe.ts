import { loadConfig, version } from "../../config/index.ts";
import { type Call, isOn } from "../command.ts";
import { configuredLog } from "../configured-log.ts";

/** `crio wipe`: what was removed, and why not, is in the log. */
export async function runWipe({ terminal, globals, flags }: Call): Promise<void> {
  const { config, notes } = await loadConfig({ flags: globals, env: terminal.env });
  await using log = await configuredLog(config, terminal);
  log.notes(notes);
  const { wipe } = await import("../../daemon/index.ts");
  await wipe({ config, force: isOn(flags, "force"), version, log: log.logger });
}
