import { type Logger, reasonOf } from "../base/index.ts";
import type { Config } from "../config/index.ts";
import { loadAll, type PodDeps } from "../pods/index.ts";
import { compose, stopParts } from "./parts.ts";

/**
 * Runs `work` on the pods of this node while no daemon runs, so that what is removed is removed with all it holds: processes, cgroups,
 * networks. Where that cannot be had, says so and goes on: the caller takes what is left from the store. No store of this process may be
 * open.
 */
export async function withPods(config: Config, log: Logger, work: (pods: PodDeps) => Promise<void>): Promise<void> {
  try {
    const parts = await compose(config, { repairsStore: false, metrics: undefined, log });
    try {
      await parts.networks.start();
      await loadAll(parts.pods);
      await work(parts.pods);
    } finally {
      await stopParts(parts, log);
    }
  } catch (error) {
    log.warn("what containers hold besides their storage is not given back", { why: reasonOf(error) });
  }
}
