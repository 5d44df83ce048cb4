import { Fault, type Logger } from "../base/index.ts";
import type { Digest } from "../oci/index.ts";
import type { PullUnderway } from "./underway.ts";

export interface ProgressOptions {
  /** How long nothing may come; 0 for ever. */
  readonly timeoutMs: number;
  /** The pull's own end. */
  readonly signal: AbortSignal;
  /** Is told what comes. */
  readonly underway: Pick<PullUnderway, "received" | "summary">;
  readonly log: Logger;
}

/** The watch over one pull (`pull_progress_timeout`): tells of its progress, and ends it when nothing comes any more. */
export interface PullProgress extends Disposable {
  /** Aborts with the pull, or when nothing has come for too long. */
  readonly signal: AbortSignal;
  /** Something is awaited from the registry while `work` lasts. */
  during<T>(work: () => Promise<T>): Promise<T>;
  /** The same bytes of a layer, counted. While they come they are awaited. */
  counted(layer: Digest, bytes: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
}

/** How often, in the time that may pass without progress, it is looked at and told. */
const looks = 10;
/** How often it is told where nothing is waited for with a time. */
const tellingMs = 5_000;

/** Begins to watch. */
export function watchProgress({ timeoutMs, signal, underway, log }: ProgressOptions): PullProgress {
  const stalled = new AbortController();
  let [bytes, told, awaited, idleLooks] = [0, 0, 0, 0];
  const look = () => {
    // What has arrived and is still being unpacked is no business of the registry.
    idleLooks = awaited > 0 && bytes === told ? idleLooks + 1 : 0;
    if (bytes !== told) log.debug("image pull goes on", { progress: underway.summary() });
    told = bytes;
    if (timeoutMs === 0 || idleLooks < looks) return;
    const limit = `${timeoutMs / 1000}s`;
    log.warn(`Timed out on waiting up to ${limit} for image pull progress updates`, { bytes });
    const why = `context canceled: nothing came from the registry for ${limit}, ${bytes} bytes before`;
    // "cancelled", so that another pull that waits for one of these layers fetches it for itself.
    stalled.abort(new Fault("cancelled", why));
  };
  const awaiting = async <T>(work: () => Promise<T>): Promise<T> => {
    awaited += 1;
    try {
      return await work();
    } finally {
      awaited -= 1;
    }
  };
  const timer = setInterval(look, timeoutMs > 0 ? timeoutMs / looks : tellingMs);
  timer.unref();
  return {
    signal: AbortSignal.any([signal, stalled.signal]),
    async during(work) {
      const result = await awaiting(work);
      bytes += 1; // an answer is progress too
      return result;
    },
    async *counted(layer, chunks) {
      const iterator = chunks[Symbol.asyncIterator]();
      try {
        for (;;) {
          const next = await awaiting(() => iterator.next());
          if (next.done === true) return;
          bytes += next.value.byteLength;
          underway.received(layer, next.value.byteLength);
          yield next.value; // the reader's time is not the registry's
        }
      } finally {
        await iterator.return?.();
      }
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
