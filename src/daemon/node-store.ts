import { isFault, type Logger, reasonOf } from "../base/index.ts";
import type { Config } from "../config/index.ts";
import { type OpenStoreOptions, openStore, type Store, wipeStore } from "../storage/index.ts";

/** The store of this node, as the configuration has it. */
export function storeOptions({ crio }: Config, log: Logger): OpenStoreOptions {
  return {
    graphRoot: crio.root,
    runRoot: crio.runroot,
    driver: crio.storageDriver,
    driverOptions: [
      ...crio.storageOption,
      ...(crio.imagestore === "" ? [] : [`overlay.imagestore=${crio.imagestore}`]),
    ],
    log,
  };
}

/**
 * Opens the store. With `repairs`, one whose records cannot be read is wiped and made anew, unless a container is mounted in it: nobody
 * could use it any more, and its images can be pulled again.
 */
export async function openNodeStore(
  config: Config,
  { repairs, log }: { readonly repairs: boolean; readonly log: Logger },
): Promise<Store> {
  const options = storeOptions(config, log);
  try {
    return await openStore(options);
  } catch (error) {
    if (!repairs || !isFault(error, "corrupt")) throw error;
    log.error("the storage directory is damaged beyond repair, and is wiped", { why: reasonOf(error) });
    await wipeStore({ graphRoot: options.graphRoot, runRoot: options.runRoot, force: false, log });
    return await openStore(options);
  }
}
