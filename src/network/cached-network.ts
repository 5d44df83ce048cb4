import { Fault, reasonOf } from "../base/index.ts";
import { jsonField } from "../oci/index.ts";
import type { CacheEntry } from "./cache.ts";
import { type Network, parseNetworkList, parseSingleNetwork } from "./config.ts";
import type { JsonObject } from "./json.ts";
import { parseJson } from "./json.ts";
import { type CniResult, contentsOf, type NetworkInterface, resultOf } from "./result.ts";
import { convertResult } from "./result-conversion.ts";
import { currentCniVersion } from "./versions.ts";

const maxConfigBytes = 16 * 1024 * 1024;

/** What a pod's network is, once attached. */
export interface PodNetwork {
  /** Name of the network. */
  readonly network: string;
  /** Name of the pod's interface. */
  readonly ifName: string;
  /** Addresses without prefix, in the result's order. */
  readonly ips: readonly string[];
  readonly interfaces: readonly NetworkInterface[];
  /** The result of ADD in the network's version. */
  readonly result: JsonObject;
  /** The same in the newest version that is spoken here: for the annotation `io.kubernetes.cri-o.CNIResult`. */
  readonly currentResult: JsonObject;
}

type ReadableEntry = CacheEntry & { readonly is: "readable" };

/** Reads a result for those who want to know the pod's addresses. Throws Fault("invalid"). */
export function podNetworkOf(network: string, ifName: string, result: CniResult): PodNetwork {
  const currentResult = convertResult(result, currentCniVersion).json;
  return { network, ifName, ...contentsOf(result), result: result.json, currentResult };
}

/** The addresses in a `currentResult` that was written down as text: they outlive the result cache, which ends with the attachment. Throws Fault("invalid"). */
export function addressesInResult(text: string): readonly string[] {
  const json = parseJson(Buffer.from(text), "the recorded CNI result", maxConfigBytes);
  return contentsOf(resultOf(json, currentCniVersion)).ips;
}

/**
 * The network as it was when the attachment was made, spoken to in the version of the result.
 * Throws a Fault when the cached configuration is damaged or names no plugin.
 */
export function networkOfEntry({ config, network, file, result }: ReadableEntry): Network {
  const isList = jsonField(parseJson(config, file, maxConfigBytes), "plugins") !== undefined;
  const parsed = isList ? parseNetworkList(config, file) : parseSingleNetwork(config, file, network);
  if (parsed.plugins.length === 0) throw new Fault("invalid", `${file}: the cached configuration names no plugin`);
  const stated = parsed.versions.find((version) => version === result?.cniVersion);
  return { ...parsed, name: network, cniVersion: stated ?? parsed.cniVersion };
}

/** The result of ADD in the network's version; `why` when there is one that cannot be used. */
export function resultOfEntry(
  { result }: ReadableEntry,
  network: Network,
): { readonly result: CniResult | undefined; readonly why?: string } {
  if (result === undefined) return { result: undefined };
  try {
    return { result: convertResult(resultOf(result, network.cniVersion), network.cniVersion) };
  } catch (error) {
    return { result: undefined, why: reasonOf(error) };
  }
}
