import { codeOf, deadline, Fault, type Logger, reasonOf, withStep } from "../base/index.ts";
import type { Attachment } from "./attachment.ts";
import type { ResultCache } from "./cache.ts";
import { type PodNetwork, podNetworkOf } from "./cached-network.ts";
import { addChain, checkChain, deleteChain, hasCheck } from "./chain.ts";
import type { Network } from "./config.ts";
import type { PluginCallOptions, PluginHost } from "./plugin.ts";
import type { CniResult } from "./result.ts";

export interface AttachDeps {
  readonly plugins: PluginHost;
  readonly cache: ResultCache;
  readonly log: Logger;
}

/** How long DEL of a chain may take. */
export const deleteTimeoutMs = 60_000;

/**
 * Attaches one pod to one network: ADD, the result written down, CHECK where the network has it.
 * When any of that fails, the whole chain is deleted under a deadline of its own, and the failure that began it is what is told.
 */
export async function attachTo(
  deps: AttachDeps,
  network: Network,
  attachment: Attachment,
  options: PluginCallOptions,
): Promise<PodNetwork> {
  const added = await addChain(deps.plugins, network, attachment, options);
  const result = added.is === "added" ? added.result : added.partial;
  try {
    if (added.is === "failed") throw added.error;
    return await recordAndCheck(deps, network, attachment, added.result, options);
  } catch (error) {
    await undoAttach(deps, network, attachment, result, error);
    throw withStep(`CNI network ${JSON.stringify(network.name)}`, error);
  }
}

async function recordAndCheck(
  { plugins, cache, log }: AttachDeps,
  network: Network,
  attachment: Attachment,
  result: CniResult,
  options: PluginCallOptions,
): Promise<PodNetwork> {
  const made = podNetworkOf(network.name, attachment.ifName, result);
  await cache.put(network, attachment, result);
  if (hasCheck(network)) await checkChain(plugins, network, attachment, result, options);
  if (made.ips.length === 0) {
    log.warn("CNI network gave the pod no address", { pod: attachment.containerId, network: network.name });
  }
  return made;
}

async function undoAttach(
  { plugins, cache, log }: AttachDeps,
  network: Network,
  attachment: Attachment,
  result: CniResult | undefined,
  error: unknown,
): Promise<void> {
  // Not the caller's signal: that may be what ended ADD.
  using limited = deadline(deleteTimeoutMs, `deleting what was added to CNI network ${JSON.stringify(network.name)}`);
  try {
    const options = { timeoutMs: deleteTimeoutMs, signal: limited, tryAll: true };
    await deleteChain(plugins, network, attachment, result, options);
    await cache.forget(attachment.containerId);
  } catch (undoError) {
    log.error("what a failed CNI ADD left could not be deleted", {
      pod: attachment.containerId,
      network: network.name,
      reason: reasonOf(undoError),
    });
    throw new Fault(codeOf(error), `${reasonOf(error)}; deleting it again failed too: ${reasonOf(undoError)}`, {
      cause: error,
    });
  }
}
