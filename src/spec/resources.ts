import { Fault } from "../base/index.ts";
import type { LinuxBlockIo, LinuxCpu, LinuxDeviceRule, LinuxMemory, LinuxResources } from "../oci/index.ts";
import type { HostFacts } from "./plan.ts";
import type { WorkloadResources } from "./workload.ts";

/** CRI's LinuxContainerResources; 0 and "" mean "not set". */
export interface RequestedResources {
  readonly cpuPeriod: bigint;
  readonly cpuQuota: bigint;
  readonly cpuShares: bigint;
  readonly memoryLimitInBytes: bigint;
  readonly memorySwapLimitInBytes: bigint;
  readonly oomScoreAdj: bigint;
  readonly cpusetCpus: string;
  readonly cpusetMems: string;
  readonly hugepageLimits: readonly { readonly pageSize: string; readonly limit: bigint }[];
  readonly unified: Readonly<Record<string, string>>;
}

export interface ResourcesPlan {
  /** Absent: the request limits nothing. */
  readonly requested?: RequestedResources;
  /** `container_min_memory` of the handler, bytes. */
  readonly minMemoryBytes: bigint;
  /** `pids_limit` of the configuration; -1 is unlimited. */
  readonly pidsLimit: bigint;
  /** Of the unified annotation (`parseUnified`). */
  readonly unified?: Readonly<Record<string, string>>;
  /** Of `workloadResources`. */
  readonly workload?: WorkloadResources;
}

/**
 * `linux.resources` of a container (reference: cri.md 3.4): the request as the host can enforce it, the annotation, the workload.
 * Rejects with Fault("invalid").
 */
export function linuxResources(
  plan: ResourcesPlan,
  context: {
    readonly id: string;
    readonly host: HostFacts;
    readonly deviceRules: readonly LinuxDeviceRule[];
    readonly blockIo: LinuxBlockIo | undefined;
  },
): LinuxResources {
  const { requested, workload } = plan;
  const { host } = context;
  const cpu = { ...(requested === undefined ? {} : requestedCpu(requested)), ...workload };
  const memory = requested === undefined ? undefined : requestedMemory(requested, { plan, ...context });
  const hugepages = host.hugetlb ? (requested?.hugepageLimits ?? []) : [];
  const unified = {
    ...(host.cgroupVersion === 2 ? copyOf(requested?.unified) : {}),
    ...copyOf(plan.unified),
  };
  return {
    devices: context.deviceRules,
    ...(memory === undefined ? {} : { memory }),
    ...(Object.keys(cpu).length === 0 ? {} : { cpu }),
    ...(host.pids ? { pids: { limit: plan.pidsLimit } } : {}),
    ...(context.blockIo === undefined ? {} : { blockIO: context.blockIo }),
    ...(hugepages.length === 0
      ? {}
      : { hugepageLimits: hugepages.map(({ pageSize, limit }) => ({ pageSize, limit })) }),
    ...(Object.keys(unified).length === 0 ? {} : { unified }),
  };
}

/** The OOM score of the request. Rejects with Fault("invalid") beyond what the kernel takes. */
export function requestedOomScoreAdj(requested: RequestedResources | undefined): number | undefined {
  if (requested === undefined) return undefined;
  const { oomScoreAdj } = requested;
  if (oomScoreAdj < -1000n || oomScoreAdj > 1000n) {
    throw new Fault("invalid", `oom_score_adj ${oomScoreAdj} is not between -1000 and 1000`);
  }
  return Number(oomScoreAdj);
}

function requestedCpu({ cpuPeriod, cpuQuota, cpuShares, cpusetCpus, cpusetMems }: RequestedResources): LinuxCpu {
  for (const [name, value] of [
    ["cpu_period", cpuPeriod],
    ["cpu_shares", cpuShares],
  ] as const) {
    if (value < 0n) throw new Fault("invalid", `${name} ${value} is negative`);
  }
  checkCpuList(cpusetCpus, "cpuset_cpus");
  checkCpuList(cpusetMems, "cpuset_mems");
  return {
    shares: cpuShares,
    quota: cpuQuota,
    period: cpuPeriod,
    ...(cpusetCpus === "" ? {} : { cpus: cpusetCpus }),
    ...(cpusetMems === "" ? {} : { mems: cpusetMems }),
  };
}

function requestedMemory(
  { memoryLimitInBytes: limit, memorySwapLimitInBytes: swap }: RequestedResources,
  { plan, id, host }: { readonly plan: ResourcesPlan; readonly id: string; readonly host: HostFacts },
): LinuxMemory | undefined {
  if (limit === 0n) return undefined;
  if (limit < plan.minMemoryBytes) {
    throw new Fault("invalid", `set memory limit ${limit} too low; should be at least ${plan.minMemoryBytes} bytes`);
  }
  if (!host.swapAccounting) return { limit };
  if (swap > 0n && swap < limit) {
    throw new Fault(
      "invalid",
      `container ${id} create failed because memory swap limit (${swap}) cannot be lower than memory limit (${limit})`,
    );
  }
  return { limit, swap: swap === 0n ? limit : swap };
}

/** `0-3,7` of cpuset(7). */
function checkCpuList(text: string, name: string): void {
  if (text !== "" && !/^\d{1,6}(-\d{1,6})?(,\d{1,6}(-\d{1,6})?)*$/.test(text)) {
    throw new Fault("invalid", `${name} ${JSON.stringify(text.slice(0, 200))} is not a list such as 0-3,7`);
  }
}

/** Own entries only, in an object where `__proto__` is a name like any other. */
function copyOf(map: Readonly<Record<string, string>> | undefined): Record<string, string> {
  return Object.assign(Object.create(null), map);
}
