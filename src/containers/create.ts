import { Fault, newId, reasonOf, Undo } from "../base/index.ts";
import { createUnderConmon } from "../runtime/index.ts";
import { buildContainerSpec, specWithCdi, systemdAnnotations } from "../spec/index.ts";
import {
  type Container,
  type ContainerRecord,
  type Creation,
  containerAnnotations,
  type Pod,
  storageMetadataJson,
  writeSpec,
  writeState,
} from "../state/index.ts";
import type { ContainerConfig } from "./config.ts";
import type { ContainerDeps } from "./deps.ts";
import { type Gathered, gatherFacts, type Mounted } from "./gather.ts";
import { mountImages } from "./image-mounts.ts";
import { prepareLog } from "./log-path.ts";
import { containerName } from "./names.ts";
import { monitorPlacer } from "./place-monitor.ts";
import { type ContainerPlan, planContainer } from "./plan.ts";
import { releaseProcesses } from "./release.ts";
import { undoCreation } from "./undo-creation.ts";
import { mountOptionsIn } from "./user-namespace.ts";

/** Seconds, from the kubelet. */
const gracePeriodAnnotation = "io.kubernetes.pod.terminationGracePeriod";

export interface CreateRequest {
  /** Of the sandbox configuration that comes with the request; "" for the pod's own. */
  readonly logDirectory: string;
  readonly signal?: AbortSignal;
}

/**
 * Creates a container in a pod, not started yet; resolves with its id (reference: cri.md 3). One of that name that exists already
 * is the answer too; one that is being created is waited for. When the caller leaves, the work goes on and the next call gets the
 * result.
 */
export async function createContainer(
  deps: ContainerDeps,
  pod: Pod,
  config: ContainerConfig,
  request: CreateRequest,
): Promise<string> {
  const name = containerName(config.metadata, pod.record.metadata);
  const owner = deps.names.ownerOf(name);
  if (owner !== undefined && deps.containers.get(owner) !== undefined) return deps.creations.claim(name) ?? owner;
  const id = newId();
  const podId = pod.record.id;
  const create = (creation: Creation) =>
    deps.podLocks.with(podId, async () => {
      const now = deps.pods.get(podId);
      if (now === undefined) throw new Fault("not-found", `specified sandbox not found: ${podId}: it was removed`);
      const plan = await planContainer(deps, now, config, { id, name, logDirectory: request.logDirectory });
      await carryOut(deps, plan, creation);
    });
  return await deps.creations.run(name, id, create, request.signal);
}

async function carryOut(deps: ContainerDeps, plan: ContainerPlan, creation: Creation): Promise<void> {
  const undo = new Undo();
  try {
    const mounted = await acquire(deps, plan, creation, undo);
    creation.stage = "container volume configuration";
    const gathered = await gatherFacts(deps, plan, mounted);
    creation.stage = "container spec configuration";
    const container = await build(plan, gathered);
    creation.stage = "container runtime creation";
    undo.add("runtime", () => releaseProcesses(deps, container, plan.pod.record.cgroupParent));
    const created = await createInRuntime(deps, plan, container);
    await writeState(created);
    undo.keep();
    deps.containers.put(created);
    const { id, podId } = created.record;
    deps.events.publish({ type: "created", containerId: id, podId, atNs: deps.clock.nowNs() });
  } catch (error) {
    await undoAll(deps, undo, plan.id);
    throw error;
  }
}

/** One step a thing, its undo on the line below. Resolves with what is mounted. */
async function acquire(deps: ContainerDeps, plan: ContainerPlan, creation: Creation, undo: Undo): Promise<Mounted> {
  const { id, name } = plan;
  const remains = deps.names.remainsUnder(name);
  if (remains !== undefined) await undoCreation(deps, remains, plan.pod.record);
  if (!deps.names.reserve(name, id))
    throw new Fault("exists", `error reserving ctr name ${name} for id ${id}: name is reserved`);
  undo.addRecord(`name ${name}`, () => deps.names.release(name, id));
  creation.stage = "container storage creation";
  const { userNamespace } = plan.pod.record;
  // Before it is there: on a full disk the store cannot take back all that it had begun.
  undo.addRecord("store", () => deps.store.deleteContainer(id));
  await deps.store.createContainer({
    id,
    names: [name],
    imageId: plan.image.id,
    metadata: storeMetadata(plan),
    processLabel: plan.labels.process,
    mountLabel: plan.labels.mount,
    ...(userNamespace === undefined ? {} : { mappings: userNamespace }),
  });
  creation.stage = "container storage start";
  await prepareLog(plan.log);
  undo.add("root file system", () => deps.store.unmountContainer(id));
  const rootfs = await deps.store.mountContainer(id, mountOptionsIn(plan.pod.record));
  undo.add("image volumes", () => deps.imageMounts.release(plan));
  const holder = { id, runDir: plan.runDir, ...mountOptionsIn(plan.pod.record) };
  return { rootfs, images: await mountImages(deps.imageMounts, holder, plan.mountImages) };
}

function storeMetadata({ id: _id, name, pod, config, image, createdAtNs }: ContainerPlan): string {
  return storageMetadataJson({
    podName: pod.record.name,
    podId: pod.record.id,
    imageName: config.image,
    imageId: image.id,
    name,
    metadataName: config.metadata.name,
    uid: "",
    namespace: "",
    attempt: config.metadata.attempt,
    createdAtSeconds: Number(createdAtNs / 1_000_000_000n),
    isPod: false,
    privileged: config.security.privileged,
  });
}

/** The container with its spec, written out; state.json, which makes it count, is not there yet. */
async function build(plan: ContainerPlan, gathered: Gathered): Promise<Container> {
  const { pod, config } = plan;
  const record: ContainerRecord = {
    id: plan.id,
    podId: pod.record.id,
    name: plan.name,
    metadata: config.metadata,
    image: { requested: config.image, name: plan.image.name, id: plan.image.id, repoDigests: plan.image.repoDigests },
    labels: config.labels,
    annotations: plan.annotations,
    createdAtNs: plan.createdAtNs,
    logPath: plan.log.path,
    tty: config.tty,
    stdin: config.stdin,
    stdinOnce: config.stdinOnce,
    mountPoint: gathered.rootfs,
    volumes: gathered.volumes,
    stopSignal: plan.stopSignal,
    runtimeHandler: pod.record.runtimeHandler,
    runtimePath: plan.runtimePath,
    privileged: config.security.privileged,
    dir: plan.dir,
    runDir: plan.runDir,
  };
  const ours = containerAnnotations(record, {
    pod: pod.record,
    podIps: pod.ips,
    seccompProfile: gathered.seccompRef,
  });
  const built = buildContainerSpec({
    ...gathered.spec,
    annotations: {
      pod: pod.record.annotations,
      container: record.annotations,
      containerName: config.metadata.name,
      labels: record.labels,
      crio: { ...ours, ...systemdAnnotationsFor(plan) },
    },
  });
  const spec = specWithCdi(built, gathered.cdi);
  await writeSpec(record, spec);
  return { record, spec, state: { is: "created" } };
}

/** What crun and runc tell systemd of the container's scope. */
function systemdAnnotationsFor({ handler, config }: ContainerPlan): Readonly<Record<string, string>> {
  return handler.systemdCgroup ? systemdAnnotations(config.annotations[gracePeriodAnnotation]) : {};
}

async function createInRuntime(deps: ContainerDeps, plan: ContainerPlan, container: Container): Promise<Container> {
  const { record } = container;
  const { handler, pod } = plan;
  const created = await createUnderConmon(handler, {
    id: record.id,
    name: record.name,
    bundle: record.runDir,
    persistDir: record.dir,
    logPath: record.logPath,
    logSizeMax: deps.options.logSizeMax,
    logToJournald: deps.options.logToJournald,
    terminal: record.tty,
    stdin: record.stdin,
    stdinOnce: record.stdinOnce,
    exitsDir: deps.options.exitsDir,
    attachDir: deps.options.attachDir,
    logLevel: deps.options.logLevel(),
    noPivot: deps.options.noPivot,
    ...(record.runtimePath === "" ? {} : { runtimePath: record.runtimePath }),
    placeMonitor: monitorPlacer(deps, { id: record.id, pod: pod.record, handler }),
  });
  return {
    ...container,
    init: created.init,
    ...(created.monitor === undefined ? {} : { monitor: created.monitor }),
  };
}

async function undoAll(deps: ContainerDeps, undo: Undo, id: string): Promise<void> {
  try {
    await undo.run();
  } catch (error) {
    deps.names.abandon(id);
    deps.log.error(
      "a failed container could not be undone altogether; creating it again, removing its pod, or the next start goes on",
      { containerID: id, error: reasonOf(error) },
    );
  }
}
