import type { Family, FamilyMapping } from "./mapping.ts";

/** What a pod has mapped in one family. */
export interface PodMappings {
  /** The sandbox's id. */
  readonly id: string;
  /** For comments. */
  readonly podName: string;
  /** Canonical, of the backend's family. */
  readonly ip: string;
  readonly mappings: readonly FamilyMapping[];
}

/** One way to map ports in one family. All three are transactions: done or not done. */
export interface Backend {
  readonly name: "nftables" | "iptables";
  readonly family: Family;
  add(pod: PodMappings, signal: AbortSignal): Promise<void>;
  /** Removes a pod's mappings. Fine when there are none. */
  remove(pod: Pick<PodMappings, "id" | "mappings">, signal: AbortSignal): Promise<void>;
  /** Removes the mappings of all pods that are not among these. */
  keepOnly(pods: readonly Pick<PodMappings, "id" | "mappings">[], signal: AbortSignal): Promise<void>;
}

/** Longest a call of nft or iptables may take, waiting for the lock included. */
export const toolTimeoutMs = 20_000;

/** Longest listing that is read. */
export const maxListingBytes = 64 * 1024 * 1024;
