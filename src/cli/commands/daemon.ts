import { Fault, isFault } from "../../base/index.ts";
import {
  type Config,
  configToml,
  type Environment,
  flagRows,
  type GivenFlags,
  type LoadedConfig,
  loadConfig,
  type Problem,
  parseLogLevel,
  problemText,
  validateConfig,
  valueAt,
} from "../../config/index.ts";
import type { Call } from "../command.ts";
import { configuredLog, logFilter } from "../configured-log.ts";
import type { Log } from "../log.ts";
import { versionInfo } from "../version-info.ts";

/** `crio` without a command: loads and checks the configuration, sets up the log and runs the daemon until it is stopped. */
export async function runDaemonCommand({ terminal, globals, args }: Call): Promise<void> {
  if (args[0] !== undefined) throw new Fault("invalid", `command ${JSON.stringify(args[0])} not supported`);
  const loaded = await loadConfig({ flags: globals, env: terminal.env });
  const { config } = loaded;
  const problems = await validateConfig(config, loaded.sources);
  refuse(problems.filter(({ key }) => keysOfLog.has(key))); // the others are said in the log that these configure
  await using log = await configuredLog(config, terminal);
  const onCrash = (error: unknown) => log.fatal(error); // Node itself prints the stack to standard error
  process.on("uncaughtExceptionMonitor", onCrash);
  try {
    log.notes(loaded.notes);
    refuse(problems);
    logConfig(loaded, log);
    warnOfMissing(config, log);
    sayMountNamespace(terminal.env, log);
    const { preflight, runDaemon } = await import("../../daemon/index.ts"); // late, so that no other command loads it
    refuse(await preflight(config, loaded.sources));
    const reload = {
      load: async () => await checkedConfig(globals, terminal.env, log),
      apply: (fresh: Config) => {
        log.setLevel(parseLogLevel(fresh.runtime.logLevel));
        log.setFilter(logFilter(fresh));
      },
    };
    await runDaemon({ config, logger: log.logger, version: await versionInfo(), reload }).catch(
      async (error: unknown) => {
        throw await located(error, loaded);
      },
    );
  } catch (error) {
    log.fatal(error);
    throw error;
  } finally {
    process.off("uncaughtExceptionMonitor", onCrash);
  }
}

const keysOfLog: ReadonlySet<string> = new Set(["crio.runtime.log_level", "crio.runtime.log_filter"]);

/** The configuration as files, environment and flags have it now. */
async function checkedConfig(flags: GivenFlags, env: Environment, log: Log): Promise<Config> {
  const loaded = await loadConfig({ flags, env });
  log.notes(loaded.notes);
  refuse(await validateConfig(loaded.config, loaded.sources));
  return loaded.config;
}

/** All problems in one Fault: whoever mends the file wants to know them at once. */
function refuse(problems: readonly Problem[]): void {
  if (problems.length === 0) return;
  throw new Fault("invalid", `invalid configuration: ${problems.map(problemText).join("; ")}`);
}

/** What the start has found wrong with a file or program, said with the place where the configuration names it. */
async function located(error: unknown, { config, sources }: LoadedConfig): Promise<unknown> {
  if (!isFault(error, "invalid", "not-found")) return error;
  const { checkNamedFiles } = await import("../../daemon/index.ts");
  const { problems } = await checkNamedFiles(config, sources);
  if (problems.length === 0) return error;
  return new Fault("invalid", `invalid configuration: ${problems.map(problemText).join("; ")}`, { cause: error });
}

function logConfig({ config, sources }: LoadedConfig, { logger }: Log): void {
  for (const row of flagRows) {
    const source = sources.get(row.path)?.is;
    if (source !== "flag" && source !== "env") continue;
    logger.info(`FLAG: --${row.flag}=${JSON.stringify(String(valueAt(config, row)))}`);
  }
  logger.info(`Current CRI-O configuration:\n${configToml(config)}`);
}

/** What was asked for and is not built yet is said, not passed over. */
function warnOfMissing({ invocation }: Config, { logger }: Log): void {
  const asked: readonly (readonly [string, boolean])[] = [
    ["--profile", invocation.profile],
    ["--enable-profile-unix-socket", invocation.enableProfileUnixSocket],
  ];
  for (const [what, isAsked] of asked) if (isAsked) logger.warn("not available yet, ignored", { what });
}

/** The program that starts this one has joined the mount namespace, or says why not: see scripts/build.ts. */
function sayMountNamespace(env: Environment, { logger }: Log): void {
  const { KUBENSMNT: namespace = "", CRIO_KUBENSMNT: outcome = "crio was not started by bin/crio" } = env;
  if (namespace === "") return;
  if (outcome === "joined") logger.info("Joined mount namespace", { namespace });
  else logger.warn("the mount namespace of KUBENSMNT was not joined", { namespace, why: outcome });
}
