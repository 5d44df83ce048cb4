import { Fault } from "./fault.ts";

/**
 * Waits for `work`, but no longer than `signal` allows. The work itself goes on: this is for callers who leave.
 * Rejects with the signal's reason.
 */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
    work.catch(() => {}); // whoever started it reports it; a caller who left must not make it an unhandled rejection
  }
}

/** A signal that aborts after `timeoutMs` with a Fault that says what took too long, or with `parent`. */
export function deadline(timeoutMs: number, what: string, parent?: AbortSignal): AbortSignal & Disposable {
  const controller = new AbortController();
  const onParent = () => controller.abort(parent?.reason);
  const timer = setTimeout(() => {
    controller.abort(new Fault("deadline", `${what}: no end after ${timeoutMs / 1000} s`));
  }, timeoutMs);
  timer.unref();
  if (parent?.aborted) onParent();
  parent?.addEventListener("abort", onParent, { once: true });
  return Object.assign(controller.signal, {
    [Symbol.dispose]() {
      clearTimeout(timer);
      parent?.removeEventListener("abort", onParent);
    },
  });
}
