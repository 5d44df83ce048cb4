import type { DiskUsage } from "./disk-walk.ts";
import { SerialWorker } from "./serial-worker.ts";
import { workerFile } from "./worker-file.ts";

const defaultTimeoutMs = 10 * 60_000;
const idleMs = 30_000;

export interface DiskUsageOptions {
  /** Default ten minutes. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * Measures directory trees, one after the other, in a worker thread that starts when needed and ends when idle: a walk
 * is thousands of system calls, which neither the main thread nor the thread pool should be busy with.
 */
export class DiskUsageMeter {
  readonly #thread = new SerialWorker<{ readonly path: string }, DiskUsage>(
    workerFile(import.meta.url, "disk-usage-worker"),
    {
      name: "the disk usage worker",
      whenAbandoned: "terminate",
      idleMs,
      resourceLimits: { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 8 },
    },
  );

  /**
   * What the tree at `path` takes: without following symbolic links, on one file system, each file once however many
   * names it has. Files that vanish meanwhile do not matter. Rejects with Fault("not-found") when there is no `path`,
   * Fault("deadline"), Fault("cancelled").
   */
  measure(path: string, options: DiskUsageOptions = {}): Promise<DiskUsage> {
    const timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
    return this.#thread.call({ path }, { what: `measuring ${path}`, timeoutMs, signal: options.signal });
  }

  /** Ends the thread; measurements under way are rejected. */
  stop(): Promise<void> {
    return this.#thread.stop();
  }
}

/** One measurement: see `DiskUsageMeter.measure`. Whoever measures often keeps a meter, and with it the thread. */
export async function diskUsage(path: string, options: DiskUsageOptions = {}): Promise<DiskUsage> {
  const meter = new DiskUsageMeter();
  try {
    return await meter.measure(path, options);
  } finally {
    await meter.stop();
  }
}
