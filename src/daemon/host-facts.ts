import { release } from "node:os";
import type { CgroupManager } from "../cgroups/index.ts";
import type { HostFacts } from "../containers/index.ts";
import { boundingCapabilities, readBounded } from "../host/index.ts";
import { hostPlatform } from "../oci/index.ts";
import { hostHasSeccomp, isAppArmorEnabled, knownCapabilities, seLinuxMode } from "../security/index.ts";
import type { InheritedLimits } from "../spec/index.ts";

const smallFileBytes = 64 << 10;

/** Reads, once, what the kernel and this process can do. */
export async function readHostFacts(cgroups: CgroupManager): Promise<HostFacts> {
  const bounding = await boundingCapabilities();
  return {
    capabilities: knownCapabilities(Number(await textOf("/proc/sys/kernel/cap_last_cap"))),
    boundingCapabilities: bounding,
    seccomp: await hostHasSeccomp(),
    apparmor: await isAppArmorEnabled(),
    selinux: (await seLinuxMode()) !== "disabled",
    architecture: hostPlatform().architecture,
    kernelVersion: release(),
    spec: {
      cgroupVersion: cgroups.version,
      swapAccounting: cgroups.swapAccounting,
      hugetlb: cgroups.hasController("hugetlb"),
      pids: cgroups.hasController("pids"),
      ...(bounding.has("CAP_SYS_RESOURCE") ? {} : { inherited: await inheritedLimits() }),
    },
  };
}

/** What this process has and, without CAP_SYS_RESOURCE, cannot exceed for others. */
async function inheritedLimits(): Promise<InheritedLimits> {
  const hardRlimits = new Map<string, bigint>();
  for (const line of (await textOf("/proc/self/limits")).split("\n")) {
    const [, name, hard] = /^(Max .+?)\s{2,}\S+\s+(\d+|unlimited)/.exec(line) ?? [];
    const type = name === undefined ? undefined : rlimitNames.get(name);
    if (type !== undefined && hard !== undefined)
      hardRlimits.set(type, hard === "unlimited" ? unlimited : BigInt(hard));
  }
  return { oomScoreAdj: Number(await textOf("/proc/self/oom_score_adj")), hardRlimits };
}

const unlimited = 2n ** 64n - 1n;

/** Rows of /proc/self/limits → names of the runtime spec. */
const rlimitNames: ReadonlyMap<string, string> = new Map([
  ["Max cpu time", "RLIMIT_CPU"],
  ["Max file size", "RLIMIT_FSIZE"],
  ["Max data size", "RLIMIT_DATA"],
  ["Max stack size", "RLIMIT_STACK"],
  ["Max core file size", "RLIMIT_CORE"],
  ["Max resident set", "RLIMIT_RSS"],
  ["Max processes", "RLIMIT_NPROC"],
  ["Max open files", "RLIMIT_NOFILE"],
  ["Max locked memory", "RLIMIT_MEMLOCK"],
  ["Max address space", "RLIMIT_AS"],
  ["Max file locks", "RLIMIT_LOCKS"],
  ["Max pending signals", "RLIMIT_SIGPENDING"],
  ["Max msgqueue size", "RLIMIT_MSGQUEUE"],
  ["Max nice priority", "RLIMIT_NICE"],
  ["Max realtime priority", "RLIMIT_RTPRIO"],
  ["Max realtime timeout", "RLIMIT_RTTIME"],
]);

async function textOf(path: string): Promise<string> {
  return (await readBounded(path, smallFileBytes)).toString().trim();
}
