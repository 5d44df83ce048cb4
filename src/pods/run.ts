import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Fault, newId, reasonOf, Undo, withStep } from "../base/index.ts";
import {
  hostRoot,
  monitorPlacer,
  mountOptionsIn,
  resolveSeccomp,
  resourcesOfWorkload,
  userNamespacePlan,
} from "../containers/index.ts";
import { ociVersion, type RuntimeSpec } from "../oci/index.ts";
import { createUnderConmon, startInRuntime } from "../runtime/index.ts";
import { resolveCapabilities } from "../security/index.ts";
import { buildInfraSpec, type NamespacesPlan, type NamespaceUse } from "../spec/index.ts";
import {
  type Container,
  type Creation,
  type Pod,
  podAnnotations,
  storageMetadataJson,
  writeSpec,
  writeState,
} from "../state/index.ts";
import type { PodConfig } from "./config.ts";
import type { PodDeps } from "./deps.ts";
import { mountShm, releaseShm, writeHostname, writeResolvConf } from "./files.ts";
import { infraContainerRecord, infraLogPath } from "./infra.ts";
import { podName } from "./names.ts";
import { networkIdentity, openHostPorts } from "./network.ts";
import { type PauseImage, pauseImage } from "./pause-image.ts";
import { type PodPlan, planPod } from "./plan.ts";
import { releaseInfra, releaseNamespaces, releaseNetwork, removeEmptyLogDirectory } from "./release.ts";
import { removePod } from "./remove.ts";

/** How long a pod waits for the network plugins' configuration; its caller usually leaves before. */
const networkReadyTimeoutMs = 240_000;
/** Patience with the infra process of a pod that was never finished. */
const remainsTimeoutMs = 10_000;

/**
 * Creates a pod and, where it needs one, starts its infra container; resolves with its id (reference: cri.md 2.1). A pod of that
 * name that exists already is the answer too; one that is being created is waited for. When the caller leaves, the work goes on
 * and the next call gets the result.
 */
export async function runPod(
  deps: PodDeps,
  config: PodConfig,
  request: { readonly runtimeHandler: string; readonly signal?: AbortSignal },
): Promise<string> {
  const name = podName(config.metadata);
  const existing = podNamed(deps, name);
  if (existing !== undefined && existing.trouble === undefined) {
    return deps.podCreations.claim(name) ?? existing.record.id;
  }
  const id = newId();
  const create = async (creation: Creation) => {
    const plan = planPod(deps, config, { id, handler: request.runtimeHandler });
    try {
      await removeRemains(deps, name);
      await createPod(deps, plan, creation);
    } finally {
      deps.selinux.release(id); // it is known by the pod now, or there is none
    }
  };
  return await deps.podCreations.run(name, id, create, request.signal);
}

function podNamed(deps: PodDeps, name: string): Pod | undefined {
  const owner = deps.names.ownerOf(name);
  return owner === undefined ? undefined : deps.pods.get(owner);
}

/** Gives back what an earlier attempt to create the pod could not give back. Rejects while it still cannot. */
async function removeRemains(deps: PodDeps, name: string): Promise<void> {
  const remains = podNamed(deps, name);
  if (remains === undefined) return;
  try {
    await removePod(deps, remains, { timeoutMs: remainsTimeoutMs });
  } catch (error) {
    throw withStep("an earlier attempt to create this pod cannot be undone", error);
  }
}

/** What has been acquired by the time the spec is written. */
interface Acquired {
  readonly pause: PauseImage | undefined;
  readonly mountPoint: string;
  readonly ips: readonly string[];
  readonly cniResult?: object;
}

async function createPod(deps: PodDeps, plan: PodPlan, creation: Creation): Promise<void> {
  const undo = new Undo();
  try {
    const acquired = await acquire(deps, plan, creation, undo);
    const pod = await build(deps, plan, acquired);
    creation.stage = "sandbox container runtime creation";
    undo.add("infra container", () => releaseInfra(deps, pod));
    const running = await startInfra(deps, plan, pod);
    await commit(deps, running);
    undo.keep();
  } catch (error) {
    await undoAll(deps, undo, plan);
    throw error;
  }
}

/** One step a thing, its undo on the line below. Network and files do not need each other and go side by side. */
async function acquire(deps: PodDeps, plan: PodPlan, creation: Creation, undo: Undo): Promise<Acquired> {
  const { record, config } = plan;
  await deps.cgroups.requireParentMemory(record.cgroupParent, plan.handler.minMemoryBytes);
  for (const name of [record.name, record.infraName]) {
    if (!deps.names.reserve(name, record.id))
      throw new Fault("exists", `pod sandbox with name "${name}" already exists`);
    undo.addRecord(`name ${name}`, () => deps.names.release(name, record.id));
  }
  if (!record.hostNetwork) {
    creation.stage = "sandbox network ready";
    await deps.networks.whenReady(AbortSignal.timeout(networkReadyTimeoutMs));
  }
  creation.stage = "sandbox storage creation";
  const pause = record.hasInfraProcess ? await pauseImage(deps) : undefined;
  // Before it is there: on a full disk the store cannot take back all that it had begun.
  undo.addRecord("store", () => deps.store.deleteContainer(record.id));
  await createInStore(deps, plan, pause);
  undo.add("log directory", () => removeEmptyLogDirectory(deps, record));
  await makeLogDirectory(record.logDirectory);

  creation.stage = "sandbox shm creation";
  await writeResolvConf(record.runDir, config.dns);
  const root = hostRoot(record.userNamespace);
  await writeHostname(record.runDir, record.hostname, root);
  await writeFile(containerEnvPath(record.dir), "", { mode: 0o644 });
  if (plan.shm.is === "own") {
    undo.add("/dev/shm", () => releaseShm(record.runDir));
    await mountShm(record.runDir, { sizeBytes: plan.shm.sizeBytes, owner: root, label: plan.labels.mount });
  }

  creation.stage = "sandbox namespace creation";
  undo.add("namespaces", () => releaseNamespaces(record));
  const { userNamespace } = record;
  await deps.namespaces.create({
    pins: plan.pins,
    hostname: record.hostname,
    sysctls: plan.sysctls,
    ...(userNamespace === undefined ? {} : { uidMappings: userNamespace.uids, gidMappings: userNamespace.gids }),
  });

  creation.stage = "sandbox network creation";
  const network = record.hostNetwork ? undefined : await attach(deps, plan, undo);

  creation.stage = "sandbox storage start";
  const mountPoint = pause === undefined ? "" : await deps.store.mountContainer(record.id, mountOptionsIn(record));
  return {
    pause,
    mountPoint,
    ips: network?.ips ?? [],
    ...(network === undefined ? {} : { cniResult: network.currentResult }),
  };
}

async function makeLogDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw withStep(`making the log directory ${path}`, error);
  }
}

async function createInStore(deps: PodDeps, { record, labels }: PodPlan, pause: PauseImage | undefined): Promise<void> {
  const { metadata } = record;
  try {
    await deps.store.createContainer({
      id: record.id,
      names: [record.infraName, record.name],
      processLabel: labels.process,
      mountLabel: labels.mount,
      ...(pause === undefined ? {} : { imageId: pause.id }),
      ...(record.userNamespace === undefined ? {} : { mappings: record.userNamespace }),
      metadata: storageMetadataJson({
        podName: record.name,
        podId: record.id,
        imageName: deps.podOptions.pauseImage(),
        imageId: pause?.id ?? "",
        name: record.infraName,
        metadataName: metadata.name,
        uid: metadata.uid,
        namespace: metadata.namespace,
        attempt: metadata.attempt,
        createdAtSeconds: Number(record.createdAtNs / 1_000_000_000n),
        isPod: true,
        privileged: record.privileged,
        mountLabel: labels.mount,
      }),
    });
  } catch (error) {
    throw withStep(`creating pod sandbox with name "${record.name}"`, error);
  }
}

async function attach(deps: PodDeps, { record }: PodPlan, undo: Undo) {
  undo.add("network", () => releaseNetwork(deps, record));
  const network = await deps.networks.attach(networkIdentity(record)).catch((error: unknown) => {
    throw withStep(`failed to create pod network sandbox ${record.name}(${record.id})`, error);
  });
  try {
    await openHostPorts(deps, record, network.ips);
  } catch (error) {
    throw withStep(`failed to add hostport mapping for sandbox ${record.name}(${record.id})`, error);
  }
  return network;
}

/** The pod with its spec, written out; state.json, which makes it count, is not there yet. */
async function build(deps: PodDeps, plan: PodPlan, acquired: Acquired): Promise<Pod> {
  const { config, handler } = plan;
  const record = { ...plan.record, mountPoint: acquired.mountPoint };
  const capabilities = resolveCapabilities({
    add: [],
    drop: [],
    defaults: deps.options.defaultCapabilities,
    privileged: false,
    addInheritable: deps.options.addInheritableCapabilities,
    host: { known: deps.host.capabilities, bounding: deps.host.boundingCapabilities },
  }).sets;
  const seccomp = await resolveSeccomp(deps, {
    handler: handler.name,
    privileged: record.privileged,
    capabilities: capabilities.bounding ?? [],
    ...(config.security.seccomp === undefined ? {} : { field: config.security.seccomp }),
  });
  const workload = resourcesOfWorkload(deps.options.workloads, record.annotations, "POD");
  const spec = buildInfraSpec({
    host: deps.host.spec,
    rootfsPath: acquired.mountPoint,
    hostname: record.hostname,
    args: acquired.pause?.args ?? [],
    rlimits: deps.options.defaultUlimits,
    capabilities,
    selinuxLabel: plan.labels.process,
    mountLabel: plan.labels.mount,
    files: {
      shmPath: record.shmPath,
      resolvPath: record.resolvPath,
      hostnamePath: record.hostnamePath,
    },
    namespaces: namespacesPlan(record),
    cpuset: deps.options.infraCpuset,
    ...(workload === undefined ? {} : { workload }),
    sysctls: plan.sysctls,
    annotations: {
      pod: record.annotations,
      labels: record.labels,
      crio: podAnnotations(record, {
        image: deps.podOptions.pauseImage(),
        imageName: acquired.pause?.name ?? "",
        seccompProfile: seccomp.ref,
        logPath: infraLogPath(record),
        ...(acquired.cniResult === undefined ? {} : { cniResult: acquired.cniResult }),
        ...(config.overhead === undefined ? {} : { overhead: config.overhead }),
        ...(config.resources === undefined ? {} : { resources: config.resources }),
      }),
    },
    ...(seccomp.seccomp === undefined ? {} : { seccomp: seccomp.seccomp }),
    ...(plan.cgroupsPath === undefined ? {} : { cgroupsPath: plan.cgroupsPath }),
  });
  await writeSpec(record, spec);
  const infra: Container = {
    record: infraContainerRecord(record, deps.podOptions.pauseImage()),
    spec,
    state: { is: "created" },
  };
  return { record, spec, stopped: false, networkStopped: false, ips: acquired.ips, infra };
}

/** Starts the infra process, or makes the empty cgroup that stands for it. */
async function startInfra(deps: PodDeps, plan: PodPlan, pod: Pod): Promise<Pod> {
  const { record, infra } = pod;
  const startedAtNs = () => deps.clock.nowNs();
  if (!record.hasInfraProcess) {
    await deps.cgroups.createInfraCgroup(record.cgroupParent, record.id);
    return { ...pod, infra: { ...infra, state: { is: "running", startedAtNs: startedAtNs(), paused: false } } };
  }
  const { handler } = plan;
  const created = await createUnderConmon(handler, {
    id: record.id,
    name: record.infraName,
    bundle: record.runDir,
    persistDir: record.dir,
    logPath: infraLogPath(record),
    logSizeMax: deps.options.logSizeMax,
    logToJournald: deps.options.logToJournald,
    terminal: false,
    stdin: false,
    stdinOnce: false,
    exitsDir: deps.options.exitsDir,
    attachDir: deps.options.attachDir,
    logLevel: deps.options.logLevel(),
    noPivot: deps.options.noPivot,
    placeMonitor: monitorPlacer(deps, { id: record.id, pod: record, handler }),
  });
  await startInRuntime(handler, record.id);
  return {
    ...pod,
    infra: {
      ...infra,
      state: { is: "running", startedAtNs: startedAtNs(), paused: false },
      init: created.init,
      ...(created.monitor === undefined ? {} : { monitor: created.monitor }),
    },
  };
}

/** The commit point: with its state on disk, the pod is one. */
async function commit(deps: PodDeps, pod: Pod): Promise<void> {
  await writeState(pod.infra);
  deps.pods.put(pod);
  const { id } = pod.record;
  deps.events.publish({ type: "created", containerId: id, podId: id, atNs: deps.clock.nowNs() });
  deps.events.publish({ type: "started", containerId: id, podId: id, atNs: deps.clock.nowNs() });
}

/** What cannot be given back stays, as a pod that is NOTREADY and says why: the kubelet stops and removes it again. */
async function undoAll(deps: PodDeps, undo: Undo, plan: PodPlan): Promise<void> {
  const { record } = plan;
  try {
    await undo.run();
  } catch (error) {
    const trouble = reasonOf(error);
    deps.log.error("a failed pod could not be undone altogether; it stays, NOTREADY", {
      pod: record.id,
      error: trouble,
    });
    const spec: RuntimeSpec = { ociVersion };
    const infra: Container = {
      record: infraContainerRecord(record),
      spec,
      state: { is: "unknown", startedAtNs: 0n, why: trouble },
    };
    for (const name of [record.name, record.infraName]) deps.names.reserve(name, record.id);
    deps.pods.put({ record, spec, stopped: true, networkStopped: false, ips: [], infra, trouble });
  }
}

function containerEnvPath(dir: string): string {
  return join(dir, ".containerenv");
}

function namespacesPlan(record: PodPlan["record"]): NamespacesPlan {
  const { namespaces, namespaceOptions, hostNetwork } = record;
  const joined = (path: string | undefined): NamespaceUse =>
    path === undefined ? { is: "host" } : { is: "join", path };
  return {
    pid: namespaceOptions.pid === "node" ? { is: "host" } : { is: "new" },
    network: hostNetwork ? { is: "host" } : joined(namespaces.net),
    ipc: joined(namespaces.ipc),
    uts: joined(namespaces.uts),
    ...userNamespacePlan(record),
  };
}
