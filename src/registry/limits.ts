import type { Patience } from "./http.ts";
import type { RetryPolicy } from "./retry.ts";

/** Times and counts of the client; each may be given, tests make them short. */
export interface RegistryLimits extends Patience, RetryPolicy {
  /** Tries in all at a mirror, where the next endpoint is the better remedy. */
  readonly mirrorAttempts: number;
  /** A blob's failures are counted anew once this many bytes have come since the last. */
  readonly progressBytes: number;
}

export const defaultLimits: RegistryLimits = {
  connectTimeoutMs: 30_000,
  stallTimeoutMs: 60_000,
  attempts: 5,
  mirrorAttempts: 2,
  baseDelayMs: 500,
  maxDelayMs: 10_000,
  maxRetryAfterMs: 60_000,
  progressBytes: 1024 * 1024,
};
