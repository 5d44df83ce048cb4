import { access } from "node:fs/promises";
import { type Logger, reasonOf } from "../base/index.ts";
import { caughtUp, loadContainer } from "../containers/index.ts";
import { addressesInResult } from "../network/index.ts";
import { crioAnnotation, ociVersion, type RuntimeSpec } from "../oci/index.ts";
import {
  type Container,
  damagedPodRecord,
  hasMarker,
  isLive,
  type Pod,
  type PodRecord,
  parseStorageMetadata,
  podRecordFrom,
  readSpec,
  readState,
  type StorageMetadata,
  type StoredState,
  writeMarker,
} from "../state/index.ts";
import type { PodDeps } from "./deps.ts";
import { infraContainerRecord } from "./infra.ts";
import { namespacePins } from "./namespaces.ts";
import { networkIdentity } from "./network.ts";
import { undoPodCreation } from "./undo.ts";

/** What start-up found. */
export interface LoadReport {
  readonly pods: number;
  readonly containers: number;
  readonly undone: number;
  readonly failed: number;
}

interface Found {
  readonly id: string;
  readonly metadata: StorageMetadata;
}

/**
 * Takes up everything the store has of ours, pods first. What cannot be read, or undone, costs itself alone: it is reported and listed,
 * a pod as not ready and a container as unknown, so that whoever asked for it can remove it.
 */
export async function loadAll(deps: PodDeps): Promise<LoadReport> {
  const found: Found[] = [];
  for (const { id, metadata } of await deps.store.containers()) {
    const ours = parseStorageMetadata(metadata);
    if (ours !== undefined) found.push({ id, metadata: ours });
  }
  const count = { pods: 0, containers: 0, undone: 0, failed: 0 };
  await forEachOf(
    found.filter(({ metadata }) => metadata.isPod),
    async ({ id, metadata }) => {
      const pod = await loadPod(deps, id, metadata).catch((error: unknown) =>
        takeUpDamaged(deps, { id, metadata }, error),
      );
      count[pod === undefined ? "undone" : pod.trouble === undefined ? "pods" : "failed"] += 1;
    },
  );
  await forEachOf(
    found.filter(({ metadata }) => !metadata.isPod),
    async ({ id, metadata }) => {
      const loaded = await quietly(deps.log, "container", id, () => loadContainer(deps, id, metadata));
      if (loaded === "failed") count.failed += 1;
      else if (loaded.is === "loaded") count.containers += 1;
      else if (loaded.is === "undone") {
        count.undone += 1;
        deps.log.warn("undid what was left of a container", { containerID: id, why: loaded.why });
      }
    },
  );
  return count;
}

const atOnce = 8;

async function forEachOf<T>(list: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...list];
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

async function quietly<T>(log: Logger, what: string, id: string, work: () => Promise<T>): Promise<T | "failed"> {
  try {
    return await work();
  } catch (error) {
    log.error(`a ${what} of the store cannot be taken up; it stays on disk`, { id, error: reasonOf(error) });
    return "failed";
  }
}

/** The pod as it stands; undefined when it was the remains of a creation, which are given back. */
async function loadPod(deps: PodDeps, id: string, metadata: StorageMetadata): Promise<Pod | undefined> {
  const dirs = { dir: deps.store.containerDir(id), runDir: deps.store.containerRunDir(id) };
  const spec = await readSpec(dirs);
  const stored = spec === undefined ? undefined : await readState(dirs.dir);
  if (spec === undefined || stored === undefined) {
    const record = spec === undefined ? undefined : podRecordFrom(id, spec, dirs);
    await undoPodCreation(deps, { id, metadata, record });
    deps.log.warn("undid what was left of a pod's creation", { pod: id, name: metadata.podName });
    return undefined;
  }
  const record = podRecordFrom(id, spec, dirs);
  const infra = await loadInfra(deps, record, { spec, ...stored });
  const namespacesGone = !(await namespacesAreThere(record));
  const marked = await hasMarker(dirs.dir, "stopped");
  // Of a pod whose stopping was cut off nobody knows what it still has.
  const cutOff = await hasMarker(dirs.dir, "stopping");
  const stopped = marked || cutOff || namespacesGone || (record.hasInfraProcess && !isLive(infra));
  if (stopped && !marked) await writeMarker(dirs.dir, "stopped");
  const networkStopped = await hasMarker(dirs.dir, "network-stopped");
  const ips = await addressesOf(deps, record, spec);
  const pod: Pod = { record, spec, stopped, networkStopped, ips, infra };
  deps.names.reserve(record.name, id);
  deps.names.reserve(record.infraName, id);
  deps.pods.put(pod);
  return pod;
}

/** A pod of which no more is known than the store's record says: to be stopped and removed. */
function takeUpDamaged(deps: PodDeps, { id, metadata }: Found, error: unknown): Pod {
  const trouble = reasonOf(error);
  deps.log.error("a pod cannot be taken up; it is listed as not ready, to be removed", { pod: id, error: trouble });
  const record = damagedPodRecord(id, metadata, {
    dir: deps.store.containerDir(id),
    runDir: deps.store.containerRunDir(id),
    namespaces: namespacePins(deps.options.namespacesDir, id),
  });
  const spec: RuntimeSpec = { ociVersion };
  const infra: Container = {
    record: infraContainerRecord(record),
    spec,
    state: { is: "unknown", startedAtNs: 0n, why: trouble },
  };
  const pod: Pod = { record, spec, stopped: true, networkStopped: false, ips: [], infra, trouble };
  deps.names.reserve(record.name, id);
  deps.names.reserve(record.infraName, id);
  deps.pods.put(pod);
  return pod;
}

/** As the network plugins have it written down; once they have given the network back, as the pod's own record has. */
async function addressesOf(deps: PodDeps, record: PodRecord, spec: Pod["spec"]): Promise<readonly string[]> {
  if (record.hostNetwork) return [];
  const network = await deps.networks.cached(networkIdentity(record));
  if (network !== undefined) return network.ips;
  const result = spec.annotations?.[crioAnnotation.cniResult];
  if (result === undefined) return [];
  try {
    return addressesInResult(result);
  } catch (error) {
    deps.log.warn("the addresses of a pod cannot be read from its record", { pod: record.id, error: reasonOf(error) });
    return [];
  }
}

async function loadInfra(
  deps: PodDeps,
  record: PodRecord,
  stored: StoredState & { readonly spec: Pod["spec"] },
): Promise<Container> {
  const { init, monitor, state, spec } = stored;
  const container: Container = {
    record: infraContainerRecord(record),
    spec,
    state,
    ...(record.hasInfraProcess && init !== undefined ? { init } : {}),
    ...(record.hasInfraProcess && monitor !== undefined ? { monitor } : {}),
  };
  return record.hasInfraProcess ? await caughtUp(deps, container) : container;
}

/** After a reboot the pins are gone with the tmpfs they lay on: the pod's processes are, too. */
async function namespacesAreThere(record: PodRecord): Promise<boolean> {
  for (const path of Object.values(record.namespaces)) {
    if (path === undefined) continue;
    try {
      await access(path);
    } catch {
      return false;
    }
  }
  return true;
}
