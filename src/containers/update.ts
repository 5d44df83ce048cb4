import { Fault } from "../base/index.ts";
import {
  type LinuxCpu,
  type LinuxMemory,
  type LinuxResources as OciResources,
  type RuntimeSpec,
  runtimeJson,
} from "../oci/index.ts";
import { updateInRuntime } from "../runtime/index.ts";
import { type Container, isLive, type LinuxResources, statusWord, writeSpec } from "../state/index.ts";
import type { ContainerDeps } from "./deps.ts";

/**
 * Changes the limits of a container; 0 and "" leave one as it is (reference: cri.md 4.6). Refuses a memory limit below what is in
 * use: the kernel would kill for it. The new limits are in the container's config.json too, and outlive a restart of the daemon.
 */
export async function updateContainer(
  deps: ContainerDeps,
  container: Container,
  wanted: LinuxResources,
): Promise<void> {
  const { id } = container.record;
  await deps.containerLocks.with(id, async () => {
    const now = deps.containers.get(id);
    if (now === undefined) throw new Fault("not-found", `specified container not found: ${id}`);
    if (!isLive(now))
      throw new Fault("precondition", `container ${id} is not running or created state: ${statusWord(now.state)}`);
    await checkMemory(deps, now, wanted.memoryLimitInBytes);
    const change = changeOf(deps, wanted);
    await updateInRuntime(deps.handlers.get(now.record.runtimeHandler), id, runtimeJson(change));
    const updated = deps.containers.change(id, (before) => ({ ...before, spec: withResources(before.spec, change) }));
    if (updated !== undefined) await writeSpec(updated.record, updated.spec);
  });
}

async function checkMemory(deps: ContainerDeps, { record }: Container, limit: bigint): Promise<void> {
  if (limit < 0n) {
    const why = `invalid memory limit: ${limit} bytes (cannot be negative)`;
    throw new Fault("invalid", `memory validation failed: ${why}`);
  }
  if (limit === 0n) return;
  const parent = deps.pods.get(record.podId)?.record.cgroupParent ?? "";
  const { memory } = await deps.cgroups.readings(deps.cgroups.containerCgroup(parent, record.id), ["memory"]);
  const usage = memory?.usageBytes;
  if (usage === undefined || limit >= usage) return;
  const why = `cannot decrease memory limit to ${limit} bytes: current usage is ${usage} bytes`;
  throw new Fault("invalid", `memory validation failed: ${why}`);
}

/** What the runtime is told: only what changes. */
function changeOf(deps: ContainerDeps, wanted: LinuxResources): OciResources {
  const limit = wanted.memoryLimitInBytes;
  const cpu: LinuxCpu = {
    ...(wanted.cpuShares === 0n ? {} : { shares: wanted.cpuShares }),
    ...(wanted.cpuPeriod === 0n ? {} : { period: wanted.cpuPeriod }),
    ...(wanted.cpuQuota === 0n ? {} : { quota: wanted.cpuQuota }),
    ...(wanted.cpusetCpus === "" ? {} : { cpus: wanted.cpusetCpus }),
    ...(wanted.cpusetMems === "" ? {} : { mems: wanted.cpusetMems }),
  };
  const memory: LinuxMemory = limit === 0n ? {} : { limit, ...(deps.cgroups.swapAccounting ? { swap: limit } : {}) };
  const unified = deps.cgroups.version === 2 ? wanted.unified : {};
  return {
    ...(Object.keys(cpu).length === 0 ? {} : { cpu }),
    ...(limit === 0n ? {} : { memory }),
    ...(Object.keys(unified).length === 0 ? {} : { unified }),
  };
}

function withResources(spec: RuntimeSpec, change: OciResources): RuntimeSpec {
  const before = spec.linux?.resources;
  const resources: OciResources = {
    ...before,
    ...(change.cpu === undefined ? {} : { cpu: { ...before?.cpu, ...change.cpu } }),
    ...(change.memory === undefined ? {} : { memory: { ...before?.memory, ...change.memory } }),
    ...(change.unified === undefined ? {} : { unified: { ...before?.unified, ...change.unified } }),
  };
  return { ...spec, linux: { ...spec.linux, resources } };
}
