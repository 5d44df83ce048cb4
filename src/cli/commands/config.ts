import { Fault } from "../../base/index.ts";
import { defaultConfig, loadConfig, problemText, renderConfig, validateConfig } from "../../config/index.ts";
import { type Call, isOn } from "../command.ts";
import { setUpLog } from "../log.ts";

/** `crio config`: the configuration as a commented template on standard output, and what is wrong with it as a Fault. */
export async function printConfig({ terminal, globals, flags }: Call): Promise<void> {
  if (isOn(flags, "default")) {
    const defaults = await defaultConfig(terminal.env);
    terminal.out(renderConfig(defaults, { defaults, all: true }));
    return;
  }
  const { config, defaults, sources, notes } = await loadConfig({ flags: globals, env: terminal.env });
  await using log = await setUpLog({ write: terminal.err, plain: true });
  log.notes(notes);
  const problems = await validateConfig(config, sources);
  const stopping = problems.filter(({ stops }) => stops === "config");
  if (stopping.length > 0) throw new Fault("invalid", `invalid configuration: ${stopping.map(problemText).join("; ")}`);
  for (const problem of problems) log.logger.warn("the daemon would not start", { why: problemText(problem) });
  terminal.out(renderConfig(config, { defaults }));
}
