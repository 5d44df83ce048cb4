import { setTimeout as sleep } from "node:timers/promises";
import { type Logger, reasonOf } from "../base/index.ts";
import { isTransient, registryFailureOf } from "./failure.ts";

/** How often and how patiently a failed request is repeated. */
export interface RetryPolicy {
  /** Tries in all, the first one included. */
  readonly attempts: number;
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
  /** The most that a registry's Retry-After is obeyed. */
  readonly maxRetryAfterMs: number;
}

/** Runs `work` until it succeeds, fails for good, or has failed `attempts` times. Rejects with the last failure. */
export async function withRetries<T>(
  policy: RetryPolicy,
  work: () => Promise<T>,
  { log, signal }: { readonly log: Logger; readonly signal: AbortSignal },
): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      if (failures >= policy.attempts || !isTransient(error)) throw error;
      await pauseAfter(policy, failures, error, { log, signal });
    }
  }
}

/** Waits before the next try: Retry-After where the registry gave one, else a growing, slightly random time. */
export async function pauseAfter(
  policy: RetryPolicy,
  failures: number,
  error: unknown,
  { log, signal }: { readonly log: Logger; readonly signal: AbortSignal },
): Promise<void> {
  const delayMs = delayAfter(policy, failures, error);
  log.warn("registry request failed, trying again", { failures, delayMs, reason: reasonOf(error) });
  try {
    await sleep(delayMs, undefined, { signal });
  } catch {
    throw signal.reason;
  }
}

function delayAfter(policy: RetryPolicy, failures: number, error: unknown): number {
  const failure = registryFailureOf(error);
  if (failure?.is === "status" && failure.retryAfterMs !== undefined) {
    return Math.min(failure.retryAfterMs, policy.maxRetryAfterMs);
  }
  const delay = Math.min(policy.baseDelayMs * 2 ** (failures - 1), policy.maxDelayMs);
  return Math.round(delay * (0.75 + Math.random() / 2));
}
