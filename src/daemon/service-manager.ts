import { type Logger, reasonOf } from "../base/index.ts";
import { notifyServiceManager } from "../host/index.ts";

/** Tells systemd how far the daemon is, by sd_notify(3)'s words, where it asked to be told. That it cannot be told stops nothing. */
export function tellServiceManager(state: string, log: Logger): void {
  try {
    notifyServiceManager(state);
  } catch (error) {
    log.warn("the service manager cannot be told", { state, error: reasonOf(error) });
  }
}
