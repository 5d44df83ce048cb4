import { isIPv4, isIPv6, SocketAddress } from "node:net";
import { Fault } from "../base/index.ts";

/** An address with the length of its network's prefix, such as `10.1.0.5/24`. */
export interface PrefixedAddress {
  /** Canonical text: RFC 5952 for IPv6, dotted for IPv4 also when it came mapped into IPv6. */
  readonly ip: string;
  readonly prefixLength: number;
  readonly family: 4 | 6;
}

/** The canonical text of an IP address, or undefined when `text` is none (a zone is refused too). */
export function canonicalAddress(text: string): string | undefined {
  if (isIPv4(text)) return text;
  if (!isIPv6(text) || text.includes("%")) return undefined;
  const { address } = new SocketAddress({ address: text, family: "ipv6" });
  const mapped = address.startsWith("::ffff:") ? address.slice("::ffff:".length) : "";
  return isIPv4(mapped) ? mapped : address;
}

/** Parses an address in CIDR notation. Throws Fault("invalid"). */
export function parsePrefixedAddress(text: string): PrefixedAddress {
  const [address = "", prefix = "", ...rest] = text.split("/");
  const ip = canonicalAddress(address);
  const family = isIPv4(address) ? 4 : 6;
  const prefixLength = /^(0|[1-9]\d{0,2})$/.test(prefix) ? Number(prefix) : Number.NaN;
  if (ip === undefined || rest.length > 0 || !(prefixLength <= (family === 4 ? 32 : 128))) {
    throw new Fault("invalid", `${JSON.stringify(text.slice(0, 80))} is no address with a prefix length`);
  }
  return { ip, prefixLength, family: isIPv4(ip) ? 4 : 6 };
}
