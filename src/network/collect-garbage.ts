import { Fault, reasonOf } from "../base/index.ts";
import { podInterface } from "./attachment.ts";
import type { NetworkCatalog } from "./catalog.ts";
import { collectChain, type ValidAttachment } from "./chain.ts";
import { type DetachDeps, detachStale } from "./detach.ts";
import type { PluginCallOptions } from "./plugin.ts";

export interface CollectDeps extends DetachDeps {
  readonly catalog: Pick<NetworkCatalog, "get" | "defaultNetwork" | "missing" | "networks">;
}

/**
 * Releases what belongs to no pod of `ids`: DEL for each cached attachment that a Kubernetes runtime made for a pod that is not among
 * them, then GC of the plugins (since 1.1.0), for networks that are configured now and do not forbid it (`disableGC`).
 * Attachments of other tools, which share the cache, count as valid. Tries everything; rejects with all that failed.
 */
export async function collectGarbage(
  deps: CollectDeps,
  ids: ReadonlySet<string>,
  options: PluginCallOptions,
): Promise<void> {
  const failures: string[] = [];
  const valid = new Map<string, ValidAttachment[]>();
  const attached = new Set<string>();
  for await (const entry of deps.cache.all()) {
    const { containerId, ifName, args } = entry.attachment;
    const ours = args.some(([key, value]) => key === "K8S_POD_INFRA_CONTAINER_ID" && value === containerId);
    if (ids.has(containerId) || !ours) {
      attached.add(containerId);
      appendTo(valid, entry.network, { containerID: containerId, ifname: ifName });
      continue;
    }
    const network = deps.catalog.get(entry.network);
    if (network === undefined || network.disableGC) continue;
    deps.log.info("deleting stale CNI attachment", { pod: containerId, network: entry.network });
    await detachStale(deps, entry, options).catch((error: unknown) => {
      failures.push(`failed to delete stale attachment ${containerId} ${ifName}: ${reasonOf(error)}`);
    });
  }
  const { defaultNetwork } = deps.catalog;
  for (const id of ids) {
    if (defaultNetwork === undefined || attached.has(id)) continue;
    appendTo(valid, defaultNetwork.name, { containerID: id, ifname: podInterface });
  }
  for (const network of deps.catalog.networks) {
    await collectChain(deps.plugins, network, valid.get(network.name) ?? [], options).catch((error: unknown) => {
      failures.push(reasonOf(error));
    });
  }
  if (failures.length > 0) throw new Fault("failed", `collecting CNI garbage: ${failures.join("; ")}`);
}

function appendTo(map: Map<string, ValidAttachment[]>, key: string, value: ValidAttachment): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
