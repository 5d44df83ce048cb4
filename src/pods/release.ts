import { access, rmdir } from "node:fs/promises";
import { errnoOf, reasonOf, withStep } from "../base/index.ts";
import { everyStep, releaseProcesses } from "../containers/index.ts";
import { unpinNamespace } from "../host/index.ts";
import { type Pod, type PodRecord, writeMarker } from "../state/index.ts";
import type { PodDeps } from "./deps.ts";
import { releaseShm } from "./files.ts";
import { closeHostPorts, networkIdentity } from "./network.ts";

/** How long giving back a pod's network may take: plugins that hang are killed then. */
const detachTimeoutMs = 60_000;

/**
 * Gives back a pod's network, and marks that. Idempotent. Rejects with the plugin's words; the pod's record stays then, and
 * whoever stops or removes it next tries again. Once the namespace is gone, and with it the interface, a plugin that still fails is
 * not waited for any longer: it is asked again when it works.
 */
export async function releaseNetwork(deps: PodDeps, record: PodRecord): Promise<void> {
  if (record.hostNetwork) return;
  const now = deps.pods.get(record.id);
  if (now?.networkStopped) return;
  try {
    await closeHostPortsQuietly(deps, record);
    await deps.networks.detach(networkIdentity(record), { signal: AbortSignal.timeout(detachTimeoutMs) });
  } catch (error) {
    const fault = withStep(`network teardown failed for pod sandbox ${record.name}(${record.id})`, error);
    if (await isThere(record.namespaces.net)) throw fault;
    deps.networks.abandon(networkIdentity(record));
    deps.log.warn("giving up on a network whose pod has no namespace any more", {
      pod: record.id,
      error: fault.message,
    });
  }
  await writeMarker(record.dir, "network-stopped");
  if (now !== undefined) deps.pods.change(record.id, (pod) => ({ ...pod, networkStopped: true }));
}

/** Ports that stay open are closed at the next start; they must not keep the pod's addresses from being given back. */
async function closeHostPortsQuietly(deps: PodDeps, record: PodRecord): Promise<void> {
  try {
    await closeHostPorts(deps, record);
  } catch (error) {
    deps.log.warn("closing host ports failed", { pod: record.id, error: reasonOf(error) });
  }
}

async function isThere(path: string | undefined): Promise<boolean> {
  if (path === undefined) return false;
  return await access(path).then(
    () => true,
    () => false,
  );
}

/** Unpins a pod's namespaces; they end with their last process. Idempotent. */
export async function releaseNamespaces(record: PodRecord): Promise<void> {
  for (const path of Object.values(record.namespaces)) if (path !== undefined) await unpinNamespace(path);
}

/**
 * Gives back everything a pod holds, and then its record. Its containers are gone already. Idempotent; tries every step whatever
 * the others say. When one fails the record stays, and the Fault names the step.
 */
export async function releasePod(deps: PodDeps, pod: Pod): Promise<void> {
  const { record } = pod;
  await everyStep(`removing pod ${record.id}`, [
    ["its infra container", () => releaseInfra(deps, pod)],
    ["unmounting /dev/shm", () => releaseShm(record.runDir)],
    ["releasing its network", () => releaseNetwork(deps, record)],
    ["releasing its namespaces", () => releaseNamespaces(record)],
  ]);
  await deps.store.deleteContainer(record.id);
  await removeEmptyLogDirectory(deps, record);
  deps.names.release(record.name, record.id);
  deps.names.release(record.infraName, record.id);
  if (deps.pods.get(record.id) === undefined) return;
  deps.pods.remove(record.id);
  deps.events.publish({ type: "deleted", containerId: record.id, podId: record.id, atNs: deps.clock.nowNs() });
}

/** Gives back the infra process with its monitor, or the empty cgroup that stands for it. Idempotent. */
export async function releaseInfra(deps: PodDeps, { record, infra }: Pod): Promise<void> {
  if (!record.hasInfraProcess) {
    await deps.cgroups.removeInfraCgroup(record.cgroupParent, record.id);
    return;
  }
  await everyStep("removing the infra container", [
    ["its processes", () => releaseProcesses(deps, infra, record.cgroupParent)],
    ["unmounting its root file system", () => deps.store.unmountContainer(record.id)],
  ]);
}

/** The log directory that the daemon itself chose goes with the pod, unless logs are in it; the kubelet's own is the kubelet's. */
export async function removeEmptyLogDirectory(deps: PodDeps, record: PodRecord): Promise<void> {
  if (!record.logDirectory.startsWith(`${deps.options.logDir}/`)) return;
  try {
    await rmdir(record.logDirectory);
  } catch (error) {
    if (!["ENOENT", "ENOTEMPTY", "EEXIST"].includes(errnoOf(error) ?? "")) throw error;
  }
}
