import { assertNever, Fault, isFault, type Logger, reasonOf, withStep } from "../base/index.ts";
import type { AttachDeps } from "./attach.ts";
import { type Attachment, attachmentOf, type PodNetworkIdentity } from "./attachment.ts";
import type { CacheEntry } from "./cache.ts";
import { networkOfEntry, resultOfEntry } from "./cached-network.ts";
import type { NetworkCatalog } from "./catalog.ts";
import { deleteChain } from "./chain.ts";
import type { Network } from "./config.ts";
import type { PluginCallOptions } from "./plugin.ts";
import type { CniResult } from "./result.ts";

export interface DetachDeps extends AttachDeps {
  readonly catalog: Pick<NetworkCatalog, "get" | "defaultNetwork" | "missing">;
}

/** One DEL of one chain. */
interface Detachment {
  readonly network: Network;
  readonly attachment: Attachment;
  readonly result: CniResult | undefined;
  /** What is forgotten once it is done. */
  readonly entry: CacheEntry | undefined;
}

/**
 * Detaches a pod from whatever the result cache says it is attached to, as it was attached; without a trace there, from the default
 * network, since ADD may have been cut off before it was written down. Every attachment is tried; rejects with all that failed.
 */
export async function detachAll(deps: DetachDeps, pod: PodNetworkIdentity, options: PluginCallOptions): Promise<void> {
  const all = await deps.cache.entriesOf(pod.id);
  const entries = all.filter((entry) => !isLoopback(entry));
  if (entries.length === 0) {
    const detachment = planUncached(deps, pod);
    if (detachment !== undefined) await detachFrom(deps, detachment, options);
    return;
  }
  const failures: unknown[] = [];
  for (const entry of all.filter(isLoopback)) await deps.cache.delete(entry);
  for (const entry of entries) {
    try {
      await detachFrom(deps, planCached(deps, pod, entry), options);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1) throw new Fault("failed", failures.map(reasonOf).join("; "), { cause: failures[0] });
}

/** DEL of a cached attachment that nobody owns any more, with the namespace it was made in. */
export async function detachStale(
  deps: DetachDeps,
  entry: CacheEntry & { readonly is: "readable" },
  options: PluginCallOptions,
): Promise<void> {
  await detachFrom(deps, detachmentOfEntry(deps, entry, entry.attachment), options);
}

async function detachFrom(
  { plugins, cache }: DetachDeps,
  { network, attachment, result, entry }: Detachment,
  options: PluginCallOptions,
): Promise<void> {
  try {
    await deleteChain(plugins, network, attachment, result, options);
  } catch (error) {
    throw withStep(`CNI network ${JSON.stringify(network.name)}`, error);
  }
  if (entry !== undefined) await cache.delete(entry);
}

/** Older runtimes brought up `lo` by a plugin. It goes with its namespace. */
function isLoopback(entry: CacheEntry): boolean {
  return entry.network === "cni-loopback";
}

function planUncached({ catalog, log }: DetachDeps, pod: PodNetworkIdentity): Detachment | undefined {
  let attachment: Attachment;
  try {
    attachment = attachmentOf(pod);
  } catch (error) {
    if (!isFault(error, "invalid", "exhausted")) throw error;
    log.debug("pod was never attached: its identity is not fit for CNI", { pod: pod.id, reason: reasonOf(error) });
    return undefined;
  }
  const network = catalog.defaultNetwork;
  if (network === undefined) throw new Fault("unavailable", catalog.missing);
  return { network, attachment, result: undefined, entry: undefined };
}

function planCached(deps: DetachDeps, pod: PodNetworkIdentity, entry: CacheEntry): Detachment {
  switch (entry.is) {
    case "readable":
      // The namespace is the pod's, as it is now: the cached path may be gone, or another pod's.
      return detachmentOfEntry(deps, entry, { ...entry.attachment, netns: pod.netns });
    case "unreadable": {
      warnUnreadable(deps.log, entry.file, entry.why);
      const network = currentNetwork(deps, entry.network);
      return { network, attachment: { ...attachmentOf(pod), ifName: entry.ifName }, result: undefined, entry };
    }
    default:
      return assertNever(entry);
  }
}

function detachmentOfEntry(
  deps: DetachDeps,
  entry: CacheEntry & { readonly is: "readable" },
  attachment: Attachment,
): Detachment {
  const network = cachedOrCurrentNetwork(deps, entry);
  const { result, why } = resultOfEntry(entry, network);
  if (why !== undefined) warnUnreadable(deps.log, entry.file, why);
  return { network, attachment, result, entry };
}

function cachedOrCurrentNetwork(deps: DetachDeps, entry: CacheEntry & { readonly is: "readable" }): Network {
  try {
    return networkOfEntry(entry);
  } catch (error) {
    warnUnreadable(deps.log, entry.file, reasonOf(error));
    return currentNetwork(deps, entry.network);
  }
}

function currentNetwork({ catalog }: DetachDeps, name: string): Network {
  const network = catalog.get(name);
  if (network !== undefined) return network;
  throw new Fault(
    "not-found",
    `failed to find requested network name ${JSON.stringify(name)}, and it is not in the CNI cache`,
  );
}

function warnUnreadable(log: Logger, file: string, reason: string): void {
  log.warn("cached CNI result cannot be used, DEL goes on without it", { file, reason });
}
