import { type Family, type FamilyMapping, shortHash } from "./mapping.ts";

/** The table, in families `ip` and `ip6`; CRI-O's own, so that either may go on where the other stopped. */
export const table = "crio-hostports";

/** Maps and the set that have an element for each mapping. */
export const containers = ["hostports", "hostipports", "hairpins"] as const;

export type ContainerName = (typeof containers)[number];

/** An element of a map or the set, by its key. */
export interface ElementKey {
  readonly container: ContainerName;
  readonly key: readonly (string | number)[];
}

export function nftFamily(family: Family): "ip" | "ip6" {
  return family === 4 ? "ip" : "ip6";
}

/** The comment of a pod's elements. */
export function commentOf(id: string): string {
  return shortHash(id);
}

/**
 * Makes the table, or puts it right: chains are filled anew, elements stay.
 * Packets for an address of the host (`fib`) are looked up first by address, then without; a pod that reaches itself through
 * a port of the host is masqueraded, or it would answer itself directly. nft has no comparison of source and destination, hence the set.
 */
export function tableScript(family: Family): string {
  const ip = nftFamily(family);
  const address = family === 4 ? "ipv4_addr" : "ipv6_addr";
  const to = `${address} . inet_service`;
  const chains = { hostports: "", prerouting: "prerouting priority -100", output: "output priority -100" };
  const hooks = Object.entries({ ...chains, masquerading: "postrouting priority 100" });
  const local = "fib daddr type local goto hostports";
  // Without the parentheses `|` would bind to the whole left side, which never equals `dnat`.
  const onlyDnat = "ct status & (dnat | snat) == dnat";
  return [
    `add table ${ip} ${table} { comment "HostPort rules created by CRI-O" ; }`,
    `add map ${ip} ${table} hostports { type inet_proto . inet_service : ${to} ; comment "hostports on all local IPs (protocol . hostPort -> podIP . podPort)" ; }`,
    `add map ${ip} ${table} hostipports { type ${address} . inet_proto . inet_service : ${to} ; comment "hostports on specific IPs (hostIP . protocol . hostPort -> podIP . podPort)" ; }`,
    `add set ${ip} ${table} hairpins { type ${address} . ${address} ; comment "hostport hairpin connections" ; }`,
    ...hooks.flatMap(([chain, hook]) => [
      `add chain ${ip} ${table} ${chain}${hook === "" ? "" : ` { type nat hook ${hook} ; }`}`,
      `flush chain ${ip} ${table} ${chain}`,
    ]),
    `add rule ${ip} ${table} hostports dnat ${ip} addr . port to ${ip} daddr . meta l4proto . th dport map @hostipports`,
    `add rule ${ip} ${table} hostports dnat ${ip} addr . port to meta l4proto . th dport map @hostports`,
    `add rule ${ip} ${table} prerouting ${local}`,
    `add rule ${ip} ${table} output ${local}`,
    `add rule ${ip} ${table} masquerading ${onlyDnat} ${ip} saddr . ${ip} daddr @hairpins masquerade`,
    "",
  ].join("\n");
}

/** One transaction: the table as it should be, and a pod's elements in it. */
export function addScript(family: Family, id: string, podIp: string, mappings: readonly FamilyMapping[]): string {
  const element = (container: ContainerName, key: readonly (string | number)[], value?: string) =>
    elementLine(
      "add",
      family,
      container,
      `${key.join(" . ")} comment "${commentOf(id)}"${value === undefined ? "" : ` : ${value}`}`,
    );
  const lines = mappings.map(({ hostIp, protocol, hostPort, containerPort }) => {
    const value = `${podIp} . ${containerPort}`;
    return hostIp === undefined
      ? element("hostports", [protocol, hostPort], value)
      : element("hostipports", [hostIp, protocol, hostPort], value);
  });
  return `${tableScript(family)}${lines.join("")}${element("hairpins", [podIp, podIp])}`;
}

/** One transaction that removes elements. */
export function deleteScript(family: Family, elements: readonly ElementKey[]): string {
  return elements.map(({ container, key }) => elementLine("delete", family, container, key.join(" . "))).join("");
}

function elementLine(verb: "add" | "delete", family: Family, container: ContainerName, element: string): string {
  return `${verb} element ${nftFamily(family)} ${table} ${container} { ${element} }\n`;
}
