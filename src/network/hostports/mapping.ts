import { createHash } from "node:crypto";
import { isIPv4 } from "node:net";
import { Fault } from "../../base/index.ts";
import { canonicalAddress } from "../addresses.ts";

export type Protocol = "TCP" | "UDP" | "SCTP";

export type Family = 4 | 6;

/** One port of the host that leads to a port of a pod, as CRI gives it. */
export interface HostPortMapping {
  /** 0 or less: the container's port is not mapped. */
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: Protocol;
  /** "" for every address; `0.0.0.0` for every IPv4 address, `::` for every IPv6 address. */
  readonly hostIp: string;
}

/** A mapping that concerns one family of addresses, checked. */
export interface FamilyMapping {
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: Lowercase<Protocol>;
  /** Canonical; undefined for every address of the host. */
  readonly hostIp: string | undefined;
  /** Names of the mapping's chains end in this (iptables); also CRI-O finds them by it. */
  readonly hash: string;
}

/**
 * Those of a pod's mappings that concern a family: a host address of the other one does not.
 * Throws Fault("invalid") for ports, protocols and addresses that are none.
 */
export function mappingsOf(id: string, family: Family, mappings: readonly HostPortMapping[]): readonly FamilyMapping[] {
  return mappings.map((mapping) => mappingOf(id, family, mapping)).filter((mapping) => mapping !== undefined);
}

/** As `mappingsOf`, without those that are invalid: they can never have been added, and must not keep a pod from going. */
export function removableMappingsOf(
  id: string,
  family: Family,
  mappings: readonly HostPortMapping[],
): readonly FamilyMapping[] {
  return mappings.flatMap((mapping) => {
    try {
      return mappingsOf(id, family, [mapping]);
    } catch {
      return [];
    }
  });
}

function mappingOf(id: string, family: Family, mapping: HostPortMapping): FamilyMapping | undefined {
  const { hostPort, containerPort, hostIp } = mapping;
  if (hostPort <= 0) return undefined;
  const protocol = protocols.get(mapping.protocol);
  if (protocol === undefined) throw invalid(mapping, "its protocol is none of TCP, UDP and SCTP");
  if (!isPort(hostPort) || !isPort(containerPort)) throw invalid(mapping, "ports are 1 to 65535");
  const address = hostIp === "" ? undefined : canonicalAddress(hostIp);
  if (hostIp !== "" && address === undefined) throw invalid(mapping, "its host address is no IP address");
  if (address !== undefined && familyOf(address) !== family) return undefined;
  const everywhere = address === undefined || address === "0.0.0.0" || address === "::";
  const hash = shortHash(`${id}${hostPort}${mapping.protocol}${hostIp}`);
  return { hostPort, containerPort, protocol, hostIp: everywhere ? undefined : address, hash };
}

/** The family of a pod's address, which becomes canonical. Throws Fault("invalid"). */
export function parsePodAddress(text: string): { readonly ip: string; readonly family: Family } {
  const ip = canonicalAddress(text);
  if (ip === undefined) throw new Fault("invalid", `${JSON.stringify(text.slice(0, 80))} is no address of a pod`);
  return { ip, family: familyOf(ip) };
}

/** Sixteen characters that stand for a text: the beginning of its SHA-256 in base32 (RFC 4648). */
export function shortHash(text: string): string {
  const bits = BigInt(`0x${createHash("sha256").update(text).digest("hex").slice(0, 20)}`);
  const letters = Array.from({ length: 16 }, (_, at) => base32[Number((bits >> BigInt(75 - 5 * at)) & 31n)]);
  return letters.join("");
}

const base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

const protocols: ReadonlyMap<string, Lowercase<Protocol>> = new Map([
  ["TCP", "tcp"],
  ["UDP", "udp"],
  ["SCTP", "sctp"],
]);

function familyOf(address: string): Family {
  return isIPv4(address) ? 4 : 6;
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65535;
}

function invalid(mapping: HostPortMapping, why: string): Fault {
  return new Fault("invalid", `host port mapping ${JSON.stringify(mapping).slice(0, 200)}: ${why}`);
}
