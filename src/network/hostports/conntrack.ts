import { type Logger, reasonOf } from "../../base/index.ts";
import { exitStatusText } from "../../host/index.ts";
import type { Runner } from "../runner.ts";
import { toolTimeoutMs } from "./backend.ts";
import type { Family, FamilyMapping } from "./mapping.ts";

/**
 * Forgets what the kernel remembers of UDP packets to newly mapped ports: a peer that kept sending while nobody was there
 * would otherwise never be led to the pod. Done after the rules are there. Failures are only logged.
 */
export async function forgetUdpFlows(
  { runner, log }: { readonly runner: Runner; readonly log: Logger },
  family: Family,
  mappings: readonly FamilyMapping[],
  signal: AbortSignal,
): Promise<void> {
  const ports = mappings.filter(({ protocol }) => protocol === "udp").map(({ hostPort }) => hostPort);
  if (ports.length === 0) return;
  const path = await runner.findProgram("conntrack");
  if (path === undefined) {
    log.warn("old UDP flows cannot be cleared: no conntrack program", { ports });
    return;
  }
  for (const port of new Set(ports)) {
    const args = ["-D", "-f", family === 4 ? "ipv4" : "ipv6", "-p", "udp", "--orig-port-dst", String(port)];
    try {
      const { exit, stderr } = await runner.runProgram(path, args, { timeoutMs: toolTimeoutMs, signal });
      // It also ends with status 1 when there was nothing to delete.
      if ((exit.is === "exited" && exit.code === 0) || /\b0 flow entries have been deleted/.test(String(stderr)))
        continue;
      log.error("old UDP flows were not cleared", {
        port,
        reason: `${exitStatusText(exit)}: ${String(stderr).trim()}`,
      });
    } catch (error) {
      log.error("old UDP flows were not cleared", { port, reason: reasonOf(error) });
    }
  }
}
