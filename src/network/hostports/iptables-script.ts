import type { Family, FamilyMapping } from "./mapping.ts";

/** Chains that lead to those of the mappings, and what leads to them; CRI-O's (and once the kubelet's) own names. */
const portChain = "KUBE-HOSTPORTS";
const masqueradeChain = "CRIO-HOSTPORTS-MASQ";
const portPrefix = "KUBE-HP-";
const masqueradePrefix = "CRIO-MASQ-";

const jumps = [
  { from: "OUTPUT", to: portChain, rule: '-m comment --comment "kube hostport portals" -m addrtype --dst-type LOCAL' },
  {
    from: "PREROUTING",
    to: portChain,
    rule: '-m comment --comment "kube hostport portals" -m addrtype --dst-type LOCAL',
  },
  {
    from: "POSTROUTING",
    to: masqueradeChain,
    rule: '-m comment --comment "kube hostport masquerading" -m conntrack --ctstate DNAT',
  },
] as const;

/** The nat table as `iptables-save` prints it: names of chains, and rules (`-A CHAIN …`). */
export interface NatTable {
  readonly chains: ReadonlySet<string>;
  readonly rules: readonly string[];
}

export function parseNatTable(save: string): NatTable {
  const lines = save.split("\n");
  const from = lines.findIndex((line) => line.trim() === "*nat");
  const to = lines.findIndex((line, at) => at > from && line.trim() === "COMMIT");
  const nat = from < 0 ? [] : lines.slice(from + 1, to < 0 ? undefined : to);
  return {
    chains: new Set(nat.filter((line) => line.startsWith(":")).map((line) => line.slice(1).split(" ")[0] ?? "")),
    rules: nat.filter((line) => line.startsWith("-A ")),
  };
}

/**
 * Input for `iptables-restore --noflush` that adds a pod's mappings in one transaction: each has a chain with the DNAT and
 * one with the hairpin masquerade. They come first in the chains that lead to them, before whatever leaked.
 * What is missing of the chains that are not a pod's is made.
 */
export function addRules(
  nat: NatTable,
  {
    podName,
    ip,
    family,
    mappings,
  }: { podName: string; ip: string; family: Family; mappings: readonly FamilyMapping[] },
): string {
  const chains = mappings.flatMap(({ hash }) => [portPrefix + hash, masqueradePrefix + hash]);
  const missing = [portChain, masqueradeChain].filter((chain) => !nat.chains.has(chain));
  const lines = [
    "*nat",
    ...[...missing, ...chains].map((chain) => `:${chain} - [0:0]`),
    ...jumps
      .filter(({ from, to }) => !nat.rules.some((rule) => leadsTo(rule, from, [to])))
      .map(({ from, to, rule }) => `-A ${from} ${rule} -j ${to}`),
    ...jumpsTo(nat, chains).map(deletion),
    ...mappings.flatMap((mapping) => mappingRules(mapping, { podName, ip, family })),
    "COMMIT",
    "",
  ];
  return lines.join("\n");
}

/** Input for `iptables-restore --noflush` that removes mappings by their hashes; undefined when there are none of them. */
export function removeRules(nat: NatTable, isGone: (hash: string) => boolean): string | undefined {
  const chains = [...nat.chains].filter((chain) => {
    const prefix = [portPrefix, masqueradePrefix].find((start) => chain.startsWith(start));
    return prefix !== undefined && isGone(chain.slice(prefix.length));
  });
  if (chains.length === 0) return undefined;
  const lines = [
    "*nat",
    // Named so, a chain is emptied, without which it could not be deleted.
    ...chains.map((chain) => `:${chain} - [0:0]`),
    ...jumpsTo(nat, chains).map(deletion),
    ...chains.map((chain) => `-X ${chain}`),
    "COMMIT",
    "",
  ];
  return lines.join("\n");
}

/** Whether the table has a mapping of that hash that was made by us or by CRI-O: other runtimes use the first prefix as well. */
export function isOurs(nat: NatTable, hash: string): boolean {
  return nat.chains.has(masqueradePrefix + hash);
}

function mappingRules(
  { hash, hostIp, hostPort, containerPort, protocol }: FamilyMapping,
  { podName, ip, family }: { podName: string; ip: string; family: Family },
): readonly string[] {
  const [ports, masquerade] = [portPrefix + hash, masqueradePrefix + hash];
  const comment = `-m comment --comment "${commentText(podName)} hostport ${hostPort}"`;
  const match = `-m ${protocol} -p ${protocol}`;
  const to = family === 4 ? `${ip}:${containerPort}` : `[${ip}]:${containerPort}`;
  const only = hostIp === undefined ? "" : ` -d ${hostIp}`;
  return [
    `-I ${portChain} ${comment} ${match} --dport ${hostPort} -j ${ports}`,
    `-I ${masqueradeChain} ${comment} -j ${masquerade}`,
    `-A ${ports} ${comment} ${match}${only} -j DNAT --to-destination=${to}`,
    `-A ${masquerade} ${comment} -m conntrack --ctorigdstport ${hostPort} ${match} --dport ${containerPort} -s ${ip} -d ${ip} -j MASQUERADE`,
  ];
}

/** A pod's name inside quotes of one line, of a length that a comment can have (255 with what follows). */
function commentText(podName: string): string {
  return podName.slice(0, 200).replace(/[^A-Za-z0-9_.-]/g, "?");
}

function jumpsTo(nat: NatTable, chains: readonly string[]): readonly string[] {
  return nat.rules.filter((rule) => [portChain, masqueradeChain].some((from) => leadsTo(rule, from, chains)));
}

function leadsTo(rule: string, from: string, chains: readonly string[]): boolean {
  const target = / -j (\S+)$/.exec(rule)?.[1];
  return rule.startsWith(`-A ${from} `) && target !== undefined && chains.includes(target);
}

function deletion(rule: string): string {
  return `-D ${rule.slice("-A ".length)}`;
}
