import { type Logger, reasonOf } from "../base/index.ts";
import { tellServiceManager } from "./service-manager.ts";

/** What the daemon says of itself when it is asked over its own socket. */
export interface Condition {
  readonly type: string;
  readonly status: boolean;
  readonly message: string;
}

export interface WatchdogOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Asks Status over the CRI socket, as the kubelet would. */
  readonly check: (signal: AbortSignal) => Promise<readonly Condition[]>;
  readonly log: Logger;
}

const tries = 2;
const leastMs = 1_000;

/**
 * Feeds systemd's watchdog (sd_watchdog_enabled(3)) twice in its interval, each time after a Status over the daemon's own socket whose
 * conditions hold: a daemon that cannot answer is started again. That the network is not ready counts once it was. Undefined where no
 * watchdog is asked for.
 */
export function startWatchdog({ env, check, log }: WatchdogOptions): Disposable | undefined {
  const intervalMs = watchdogMs(env);
  if (intervalMs === undefined) return undefined;
  const periodMs = intervalMs / 2;
  let hadNetwork = false;
  const healthy = async () => {
    const conditions = await check(AbortSignal.timeout(periodMs / tries));
    hadNetwork ||= conditions.some(({ type, status }) => type === "NetworkReady" && status);
    const failed = conditions.find(({ type, status }) => !status && (type !== "NetworkReady" || hadNetwork));
    if (failed !== undefined) throw new Error(`${failed.type} does not hold: ${failed.message}`);
  };
  const feed = async () => {
    for (let left = tries; left > 0; left--) {
      try {
        await healthy();
        tellServiceManager("WATCHDOG=1", log);
        return;
      } catch (error) {
        log.error("the daemon is not well: the watchdog is not fed", { error: reasonOf(error) });
      }
    }
  };
  log.info("systemd's watchdog is fed", { everyMs: periodMs });
  const timer = setInterval(() => void feed(), periodMs);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** Undefined without a watchdog, for another process, and where its time is too short to be kept. */
function watchdogMs(env: WatchdogOptions["env"]): number | undefined {
  const { WATCHDOG_USEC: text = "", WATCHDOG_PID: pid = "" } = env;
  if (!/^\d{1,15}$/.test(text)) return undefined;
  if (pid !== "" && pid !== String(process.pid)) return undefined;
  const ms = Number(text) / 1000;
  return ms > leastMs ? ms : undefined;
}
