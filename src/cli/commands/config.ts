import { Fault, reasonOf } from "../../base/index.ts";
import {
  allFaults,
  type Config,
  defaultConfig,
  type LoadedConfig,
  loadConfig,
  migrateDefaults,
  type Note,
  type Problem,
  problemText,
  renderConfig,
  validateConfig,
} from "../../config/index.ts";
import { type Call, flagText, isOn } from "../command.ts";
import { setUpLog } from "../log.ts";

/** `crio config`: the configuration as a commented template on standard output, and what is wrong with it as a Fault. */
export async function printConfig(call: Call): Promise<void> {
  const { terminal, globals, flags } = call;
  if (isOn(flags, "check")) return await checkConfig(call);
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
  terminal.out(renderConfig(flags.has("migrate-defaults") ? migrated(config, call) : config, { defaults }));
}

/** What is changed is told on standard error. */
function migrated(config: Config, { terminal, flags }: Call): Config {
  const { config: fresh, changes } = migrateDefaults(config, flagText(flags, "migrate-defaults", ""));
  for (const { key, before, after } of changes)
    terminal.err(`changing ${key} from ${shown(before)} to ${shown(after)}\n`);
  return fresh;
}

function shown(value: unknown): string {
  return JSON.stringify(typeof value === "string" || Array.isArray(value) ? value : String(value));
}

/**
 * `crio config --check`: one line on standard output for each problem, and for each thing that the daemon would warn of. Rejects when there
 * is a problem.
 */
async function checkConfig({ terminal, globals }: Call): Promise<void> {
  let count = 0;
  const say = (text: string) => terminal.out(`${text}\n`);
  const problem = (text: string) => {
    count++;
    say(`error: ${text}`);
  };
  const loaded = await loadConfig({ flags: globals, env: terminal.env }).catch((error: unknown) => {
    for (const fault of allFaults(error)) problem(reasonOf(fault));
  });
  if (loaded !== undefined) {
    for (const note of loaded.notes) if (note.level === "warn") say(`warning: ${noteText(note)}`);
    const { problems, warnings } = await problemsOf(loaded);
    for (const warning of warnings) say(`warning: ${problemText(warning)}`);
    for (const each of problems) problem(problemText(each));
  }
  if (count > 0) throw new Fault("invalid", `${count} ${count === 1 ? "problem" : "problems"} in the configuration`);
  say(`the configuration is valid${loaded === undefined ? "" : `: ${loaded.files.join(", ") || "defaults alone"}`}`);
}

async function problemsOf({ config, sources }: LoadedConfig): Promise<{
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}> {
  const { checkNamedFiles } = await import("../../daemon/index.ts");
  const [own, named] = [await validateConfig(config, sources), await checkNamedFiles(config, sources)];
  return { problems: [...own, ...named.problems], warnings: named.warnings };
}

/** `/etc/crio/crio.conf, line 3: unknown configuration key is ignored: crio.rot (did you mean root?)`. */
function noteText({ message, fields }: Note): string {
  const { file, line, where, key, ...others } = fields;
  const place = where ?? (file === undefined ? undefined : `${file}${line === undefined ? "" : `, line ${line}`}`);
  const more = Object.entries(others).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`]));
  return [
    ...(place === undefined ? [] : [place]),
    key === undefined ? message : `${key}: ${message}`,
    ...(more.length === 0 ? [] : [more.join(", ")]),
  ].join(": ");
}
