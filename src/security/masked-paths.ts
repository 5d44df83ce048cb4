import { readdir } from "node:fs/promises";
import { errnoOf, Fault } from "../base/index.ts";

/** What a container that masks anything at all must not see, beyond what the request lists. */
const alwaysMasked = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/sys/devices/virtual/powercap",
  "/sys/firmware",
  "/sys/fs/selinux",
] as const;

const cpuDirectory = "/sys/devices/system/cpu";

export interface MaskedPathsRequest {
  readonly masked: readonly string[];
  readonly privileged: boolean;
  /** Of `thermalThrottlePaths`. */
  readonly thermalThrottle: readonly string[];
}

/**
 * The paths hidden from a container (reference: cri.md 3.6). An empty request means "unmasked" (procMount: Unmasked) and stays
 * empty; otherwise what the runtime knows to be dangerous is added. Sorted, each once. Rejects with Fault("invalid").
 */
export function maskedPaths({ masked, privileged, thermalThrottle }: MaskedPathsRequest): readonly string[] {
  if (privileged || masked.length === 0) return [];
  for (const path of masked) checkPath(path, "masked");
  return [...new Set([...masked, ...alwaysMasked, ...thermalThrottle])].toSorted();
}

/** The paths made read-only: exactly those of the request; none for a privileged container. */
export function readonlyPaths({
  readonly,
  privileged,
}: {
  readonly: readonly string[];
  privileged: boolean;
}): readonly string[] {
  for (const path of readonly) checkPath(path, "readonly");
  return privileged ? [] : readonly;
}

/** The existing `/sys/devices/system/cpu/cpuN/thermal_throttle`, whose counters tell containers apart and are written to by none. */
export async function thermalThrottlePaths(directory = cpuDirectory): Promise<readonly string[]> {
  const cpus = (await entriesOf(directory)).filter((name) => /^cpu\d+$/.test(name));
  const found = await Promise.all(
    cpus.map(async (cpu) => ((await entriesOf(`${directory}/${cpu}`)).includes("thermal_throttle") ? [cpu] : [])),
  );
  return found.flat().map((cpu) => `${cpuDirectory}/${cpu}/thermal_throttle`);
}

async function entriesOf(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    // No such host file system, or a CPU that was just taken offline.
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return [];
    throw error;
  }
}

function checkPath(path: string, kind: string): void {
  if (!path.startsWith("/") || path.includes("\0")) {
    throw new Fault("invalid", `invalid ${kind} path ${JSON.stringify(path)}: it must be absolute`);
  }
}
