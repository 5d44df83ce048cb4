import { type Logger, reasonOf } from "../base/index.ts";
import type { Config, OptionChange } from "../config/index.ts";
import type { Live } from "./live.ts";
import { tellServiceManager } from "./service-manager.ts";

/** Where a reload has the configuration from, and what of it is not the daemon's own. */
export interface ReloadSource {
  /** Reads and checks the configuration again. Rejects with all its problems. */
  load(): Promise<Config>;
  /** Sets level and filter of the log. */
  apply(config: Config): void;
}

/**
 * Reloads the configuration at every SIGHUP: all that can change without a restart, or nothing (reference: config.md 6). One at a time;
 * of signals that come meanwhile, one more follows. Disposing waits for the one under way.
 */
export function reloadOnHangup(live: Live, source: ReloadSource, log: Logger): AsyncDisposable {
  let isDue = false;
  let going = Promise.resolve();
  const onSignal = () => {
    if (isDue) return;
    isDue = true;
    going = going.then(async () => {
      isDue = false;
      await reload(live, source, log);
    });
  };
  process.on("SIGHUP", onSignal);
  return {
    async [Symbol.asyncDispose]() {
      process.off("SIGHUP", onSignal);
      await going;
    },
  };
}

async function reload(live: Live, source: ReloadSource, log: Logger): Promise<void> {
  log.info("received SIGHUP, reloading the configuration");
  const monotonicUs = process.hrtime.bigint() / 1000n;
  tellServiceManager(`RELOADING=1\nMONOTONIC_USEC=${monotonicUs}`, log);
  try {
    const fresh = await source.load();
    const { taken, waiting } = await live.reload(fresh);
    source.apply(live.current.config);
    for (const { key, after } of taken) log.info(`Set config ${key} to ${JSON.stringify(textOf(after))}`);
    for (const { key, after } of waiting) {
      log.warn("this option changes only when crio is started again", { key, value: textOf(after) });
    }
    log.info("Configuration reload completed", { taken: taken.length, waiting: waiting.length });
  } catch (error) {
    log.error(`Unable to reload configuration: ${reasonOf(error)}; nothing has changed`);
  } finally {
    tellServiceManager("READY=1", log);
  }
}

function textOf(value: OptionChange["after"]): string {
  if (value instanceof Map) return [...value].map(([key, each]) => `${key}=${each}`).join(",");
  return String(value);
}
