import { deadline, Fault, type Logger, reasonOf, withStep } from "../../base/index.ts";
import type { Runner } from "../runner.ts";
import type { Backend } from "./backend.ts";
import { forgetUdpFlows } from "./conntrack.ts";
import { createIptables } from "./iptables.ts";
import { type Family, type HostPortMapping, mappingsOf, parsePodAddress, removableMappingsOf } from "./mapping.ts";
import { createNftables } from "./nftables.ts";

export interface HostPortsDeps {
  readonly runner: Runner;
  readonly log: Logger;
}

/** A pod's mappings, as they were given for it. */
export interface PodHostPorts {
  /** The sandbox's id. */
  readonly id: string;
  readonly mappings: readonly HostPortMapping[];
}

export interface HostPortsCall {
  readonly signal?: AbortSignal;
}

/** Ports of the host that lead to pods. */
export interface HostPorts {
  /**
   * Maps ports to one address of a pod, in its family; a transaction. Nothing happens without a mapping for that family.
   * Rejects with Fault("invalid") for mappings that are none, "exists" when another pod has the port (nftables),
   * "precondition" when this host can map no ports in that family.
   */
  add(pod: PodHostPorts & { readonly podName: string; readonly ip: string }, call?: HostPortsCall): Promise<void>;
  /** Removes a pod's mappings in both families, also those that an earlier start made in another way. Idempotent. */
  remove(pod: PodHostPorts, call?: HostPortsCall): Promise<void>;
  /** Removes the mappings of all other pods: what a crash left. For the start, before pods are made. */
  keepOnly(pods: readonly PodHostPorts[], call?: HostPortsCall): Promise<void>;
}

/** Longest that one call takes; a handful of runs of a quick program. */
const callTimeoutMs = 60_000;

/** `disable_hostport_mapping`: ports are somebody else's affair. */
export const noHostPorts: HostPorts = { add: async () => {}, remove: async () => {}, keepOnly: async () => {} };

/**
 * Finds out how this host can map ports: nftables, otherwise iptables, for each family of its own.
 * Rejects with Fault("unavailable") when there is neither for IPv4.
 */
export async function createHostPorts(deps: HostPortsDeps, { signal }: HostPortsCall = {}): Promise<HostPorts> {
  using limited = deadline(callTimeoutMs, "looking for nftables and iptables", signal);
  const ways = { 4: await waysFor(deps, 4, limited), 6: await waysFor(deps, 6, limited) };
  const { log } = deps;
  if (ways[4].backends.length === 0) {
    const { nftables, iptables } = ways[4].reasons;
    const words = `no support for iptables (${iptables}) or nftables (${nftables})`;
    throw new Fault("unavailable", `can't create HostPortManager: ${words}`);
  }
  for (const family of [4, 6] as const) {
    const [preferred] = ways[family].backends;
    if (preferred === undefined) log.warn("no host ports over IPv6", { ...ways[family].reasons });
    else log.info("host ports", { family: `IPv${family}`, by: preferred.name });
  }

  /** Tells every backend, the preferred one first, whose failure counts more: of the others it is only logged then. */
  async function tellAll(tell: (backend: Backend) => Promise<void>): Promise<void> {
    const failures: string[] = [];
    for (const family of [4, 6] as const) {
      for (const [rank, backend] of ways[family].backends.entries()) {
        await tell(backend).catch((error: unknown) => {
          const reason = `${backend.name} (IPv${family}): ${reasonOf(error)}`;
          if (rank === 0) failures.push(reason);
          else log.debug("host ports of the other kind were not removed", { reason });
        });
      }
    }
    if (failures.length > 0) throw new Fault("failed", `removing host ports: ${failures.join("; ")}`);
  }

  return {
    async add({ id, podName, mappings, ...pod }, call = {}) {
      const { ip, family } = parsePodAddress(pod.ip);
      const own = mappingsOf(id, family, mappings);
      if (own.length === 0) return;
      const [backend] = ways[family].backends;
      if (backend === undefined) {
        throw new Fault(
          "precondition",
          `this host has neither nftables nor iptables for IPv${family}, pod address ${ip}`,
        );
      }
      using end = deadline(callTimeoutMs, "adding host ports", call.signal);
      try {
        await backend.add({ id, podName, ip, mappings: own }, end);
      } catch (error) {
        throw withStep(`${backend.name} (IPv${family})`, error);
      }
      await forgetUdpFlows(deps, family, own, end);
    },
    async remove({ id, mappings }, call = {}) {
      if (!mappings.some(({ hostPort }) => hostPort > 0)) return;
      using end = deadline(callTimeoutMs, "removing host ports", call.signal);
      await tellAll((backend) =>
        backend.remove({ id, mappings: removableMappingsOf(id, backend.family, mappings) }, end),
      );
    },
    async keepOnly(pods, call = {}) {
      using end = deadline(callTimeoutMs, "removing leaked host ports", call.signal);
      await tellAll((backend) => {
        const kept = pods.map(({ id, mappings }) => ({
          id,
          mappings: removableMappingsOf(id, backend.family, mappings),
        }));
        return backend.keepOnly(kept, end);
      });
    },
  };
}

interface Ways {
  /** Those that work here, the preferred one first. */
  readonly backends: readonly Backend[];
  /** Why the others do not. */
  readonly reasons: { nftables: string; iptables: string };
}

async function waysFor({ runner }: HostPortsDeps, family: Family, signal: AbortSignal): Promise<Ways> {
  const backends: Backend[] = [];
  const reasons = { nftables: "", iptables: "" };
  for (const [name, create] of [
    ["nftables", createNftables],
    ["iptables", createIptables],
  ] as const) {
    try {
      backends.push(await create(runner, family, signal));
    } catch (error) {
      signal.throwIfAborted();
      reasons[name] = reasonOf(error);
    }
  }
  return { backends, reasons };
}
