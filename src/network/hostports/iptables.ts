import { Fault, KeyedLock } from "../../base/index.ts";
import { exitStatusText, type ProgramResult } from "../../host/index.ts";
import type { Runner } from "../runner.ts";
import { type Backend, maxListingBytes, toolTimeoutMs } from "./backend.ts";
import { addRules, isOurs, type NatTable, parseNatTable, removeRules } from "./iptables-script.ts";
import type { Family } from "./mapping.ts";

/** Patience with the lock that all users of iptables share, in seconds; less than `toolTimeoutMs`. */
const lockWait = ["-w", "10"] as const;

/** Host ports by iptables, for hosts without nftables. Rejects with a Fault that says why when this host cannot. */
export async function createIptables(runner: Runner, family: Family, signal: AbortSignal): Promise<Backend> {
  const command = family === 4 ? "iptables" : "ip6tables";
  const lock = new KeyedLock<"nat">("iptables table");

  async function run(name: string, args: readonly string[], end: AbortSignal, input?: string): Promise<ProgramResult> {
    const path = await runner.findProgram(name);
    if (path === undefined) throw new Fault("not-found", `could not find ${JSON.stringify(name)} in PATH`);
    const options = { timeoutMs: toolTimeoutMs, maxOutputBytes: maxListingBytes, signal: end };
    const result = await runner.runProgram(path, args, { ...options, ...(input === undefined ? {} : { input }) });
    if (result.exit.is === "exited" && result.exit.code === 0) return result;
    const words = String(result.stderr).trim().slice(0, 1000);
    throw new Fault("failed", `${name} failed: ${exitStatusText(result.exit)}: ${words}`);
  }

  /** Changes the nat table: looks, decides, restores. One at a time, since what was looked at must still be so. */
  function change(decide: (nat: NatTable) => string | undefined, end: AbortSignal): Promise<void> {
    const work = async () => {
      const nat = parseNatTable(String((await run(`${command}-save`, ["-t", "nat"], end)).stdout));
      const script = decide(nat);
      if (script !== undefined) await run(`${command}-restore`, [...lockWait, "--noflush", "--counters"], end, script);
    };
    return lock.with("nat", work, end);
  }

  await run(command, [...lockWait, "-t", "nat", "-S", "POSTROUTING"], signal);

  return {
    name: "iptables",
    family,
    add: ({ podName, ip, mappings }, end) => change((nat) => addRules(nat, { podName, ip, family, mappings }), end),
    remove: ({ mappings }, end) => {
      const hashes = new Set(mappings.map(({ hash }) => hash));
      return change((nat) => removeRules(nat, (hash) => hashes.has(hash)), end);
    },
    keepOnly: (pods, end) => {
      const hashes = new Set(pods.flatMap(({ mappings }) => mappings.map(({ hash }) => hash)));
      return change((nat) => removeRules(nat, (hash) => isOurs(nat, hash) && !hashes.has(hash)), end);
    },
  };
}
