import { access } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Fault } from "../base/index.ts";
import { featureAnnotation, featureValue } from "../oci/index.ts";
import {
  maskedPaths,
  readonlyPaths,
  resolveCapabilities,
  resolveUser,
  thermalThrottlePaths,
} from "../security/index.ts";
import {
  type CommandPlan,
  type ContainerMountsPlan,
  type ContainerSpecPlan,
  type DevicesPlan,
  hooksFor,
  injectedGomaxprocs,
  type KnownCdiEdits,
  type NamespacesPlan,
  type NamespaceUse,
  parseAnnotatedDevices,
  parseUmask,
  parseUnified,
  pidNamespace,
  planMounts,
  processArgs,
  processCwd,
  processEnv,
  type ResourcesPlan,
} from "../spec/index.ts";
import { type Container, isLive, type PodNamespaces, statusWord, type Volume } from "../state/index.ts";
import { defaultMounts } from "./default-mounts.ts";
import type { ContainerDeps } from "./deps.ts";
import { findContainer } from "./find.ts";
import { deviceNode, devicesBelow, findDevice } from "./host-devices.ts";
import { type ImageMountSources, prepareEmptyDirectory } from "./image-mounts.ts";
import { findMountSources, makeMountSources } from "./mount-sources.ts";
import type { ContainerPlan } from "./plan.ts";
import { prepareRootfs } from "./rootfs.ts";
import { seccompArtifact } from "./seccomp-artifact.ts";
import { resolveAppArmor, resolveSeccomp } from "./security.ts";
import { ownSources } from "./selinux.ts";
import { timeZoneMounts } from "./time-zone.ts";
import { generatedUserFiles, readUserFiles } from "./user-files.ts";
import { hostOwner, hostRoot, requireMapped, userNamespacePlan } from "./user-namespace.ts";
import { volumeMounts } from "./volumes.ts";
import { resourcesOfWorkload } from "./workloads.ts";

/** All that the spec needs, with nothing left to look up. */
export interface Gathered {
  readonly rootfs: string;
  readonly volumes: readonly Volume[];
  readonly seccompRef: string;
  /** What CDI devices change of the spec that is built. */
  readonly cdi: readonly KnownCdiEdits[];
  readonly spec: Omit<ContainerSpecPlan, "annotations">;
}

/** What a container has mounted before its spec is built. */
export interface Mounted {
  readonly rootfs: string;
  readonly images: ImageMountSources;
}

/** Looks up on the host and in the mounted root file system what the spec depends on, and makes what must be there. */
export async function gatherFacts(
  deps: ContainerDeps,
  plan: ContainerPlan,
  { rootfs, images }: Mounted,
): Promise<Gathered> {
  const { config, pod, handler, image } = plan;
  const { security } = config;
  const plain: CommandPlan = {
    command: config.command,
    args: config.args,
    workingDir: config.workingDir,
    tty: config.tty,
    env: config.env,
    image: image.config.config,
    defaultEnv: deps.options.defaultEnv,
    extraEnv: [],
  };
  const extraEnv = injectedGomaxprocs({
    least: deps.options.minInjectedGomaxprocs,
    cgroupParent: pod.record.cgroupParent,
    podAnnotations: pod.record.annotations,
    resources: config.resources,
    env: processEnv(plain, pod.record.hostname),
  });
  const command = { ...plain, extraEnv };
  const files = await readUserFiles(rootfs);
  const user = resolveUser({
    ...(files.passwd === undefined ? {} : { passwd: files.passwd.content }),
    ...(files.group === undefined ? {} : { group: files.group.content }),
    imageUser: image.config.config.User,
    ...(security.runAsUser === undefined ? {} : { runAsUser: security.runAsUser }),
    ...(security.runAsGroup === undefined ? {} : { runAsGroup: security.runAsGroup }),
    runAsUsername: security.runAsUsername,
    supplementalGroups: security.supplementalGroups,
    policy: security.supplementalGroupsPolicy,
  });
  const { userNamespace } = pod.record;
  requireMapped(userNamespace, user);
  await prepareRootfs(rootfs, processCwd(command), hostRoot(userNamespace));
  const emptyDirectory = join(dirname(deps.options.exitsDir), "image-volumes");
  if ([...images.values()].some(({ is }) => is === "image")) await prepareEmptyDirectory(emptyDirectory);
  const { bindMountPrefix } = deps.options;
  const requested = planMounts(await findMountSources(config.mounts, { bindMountPrefix, images }), {
    storageRoot: deps.store.graphRoot,
    emptyDirectory,
    absentSourcesToReject: deps.options.absentMountSourcesToReject,
    runtime: { idmap: handler.features.idmappedMounts, recursiveReadOnly: handler.features.recursiveReadOnly },
    keepLabels: plan.labels.keepVolumes,
  });
  for (const warning of requested.warnings) deps.log.warn(warning, { containerID: plan.id });
  await makeMountSources(requested.createDirectories);
  await deps.selinux.relabel(requested.relabel, plan.labels.mount, pod);
  const capabilities = resolveCapabilities({
    add: security.capabilities.add,
    drop: security.capabilities.drop,
    defaults: deps.options.defaultCapabilities,
    privileged: security.privileged,
    addInheritable: deps.options.addInheritableCapabilities,
    host: { known: deps.host.capabilities, bounding: deps.host.boundingCapabilities },
  });
  const seccomp = await resolveSeccomp(deps, {
    handler: handler.name,
    privileged: security.privileged,
    capabilities: capabilities.sets.bounding ?? [],
    artifactProfile: () =>
      seccompArtifact(deps.images, {
        containerName: config.metadata.name,
        imageId: image.id,
        namespace: pod.record.metadata.namespace,
        podAnnotations: pod.record.annotations,
        allowed: plan.allowedAnnotations,
      }),
    ...(security.seccomp === undefined ? {} : { field: security.seccomp }),
  });
  const apparmorProfile = await resolveAppArmor(deps, {
    id: plan.id,
    privileged: security.privileged,
    olderField: security.apparmorProfile,
    ...(security.apparmor === undefined ? {} : { field: security.apparmor }),
  });
  const umask = featureValue(pod.record.annotations, featureAnnotation.umask);
  const hasOwnUsers = config.mounts.some(({ containerPath }) => /^\/etc(\/passwd)?\/?$/.test(containerPath));
  const env = processEnv(command, pod.record.hostname);
  const readonly = security.readonlyRootfs || deps.options.readOnly;
  const hooks = hooksFor(await deps.hooks.rules(), {
    annotations: { ...plan.annotations, ...pod.record.annotations },
    program: processArgs(command)[0] ?? "",
    hasBindMounts: config.mounts.length > 0,
  });
  const mounts: ContainerMountsPlan = {
    requested,
    tmpfsForReadonly: deps.options.readOnly,
    cgroupWritable: featureValue(pod.record.annotations, featureAnnotation.cgroup2MountHierarchyRw) === "true",
    podFiles: {
      shmPath: pod.record.shmPath,
      resolvPath: pod.record.resolvPath,
      hostnamePath: pod.record.hostnamePath,
      containerEnvPath: join(pod.record.dir, ".containerenv"),
    },
    generated: hasOwnUsers ? [] : await generatedUserFiles({ runDir: plan.runDir, files, user, env, userNamespace }),
    volumes: [
      ...(await volumeMounts(deps.options.imageVolumes, {
        rootfs,
        runDir: plan.runDir,
        paths: image.config.config.Volumes,
        owner: hostOwner(userNamespace, user),
        root: hostRoot(userNamespace),
      })),
      ...(await defaultMounts({
        file: deps.options.defaultMountsFile,
        runDir: plan.runDir,
        owner: hostRoot(userNamespace),
        log: deps.log,
      })),
    ],
    last: await timeZoneMounts({ ...deps.options.timeZone, rootfs, readonly, runDir: plan.runDir }),
  };
  await deps.selinux.label(ownSources(mounts), plan.labels.mount);
  return {
    rootfs,
    volumes: requested.volumes,
    seccompRef: seccomp.ref,
    cdi: await deps.cdi.editsFor({ names: config.cdiDevices, annotations: plan.annotations }, deps.options.cdiSpecDirs),
    spec: {
      id: plan.id,
      host: deps.host.spec,
      privileged: security.privileged,
      rootfs: { path: rootfs, readonly },
      hostname: pod.record.hostname,
      command,
      user: {
        uid: user.uid,
        gid: user.gid,
        additionalGids: user.additionalGids,
        ...(umask === undefined ? {} : { umask: parseUmask(umask) }),
      },
      rlimits: deps.options.defaultUlimits,
      confinement: {
        capabilities: capabilities.sets,
        noNewPrivileges: security.noNewPrivileges,
        selinuxLabel: plan.labels.process,
        mountLabel: plan.labels.mount,
        maskedPaths: maskedPaths({
          masked: security.maskedPaths,
          privileged: security.privileged,
          thermalThrottle: security.maskedPaths.length === 0 ? [] : await thermalThrottlePaths(),
        }),
        readonlyPaths: readonlyPaths({ readonly: security.readonlyPaths, privileged: security.privileged }),
        ...(seccomp.seccomp === undefined ? {} : { seccomp: seccomp.seccomp }),
        ...(apparmorProfile === undefined ? {} : { apparmorProfile }),
      },
      mounts,
      devices: await devicesPlan(deps, plan),
      resources: {
        ...(config.resources === undefined ? {} : { requested: config.resources }),
        minMemoryBytes: handler.minMemoryBytes,
        pidsLimit: deps.options.pidsLimit,
        ...annotatedResources(deps, plan),
      },
      cgroupsPath: deps.cgroups.containerPath(pod.record.cgroupParent, plan.id),
      namespaces: namespacesPlan(deps, plan),
      ...(hooks === undefined ? {} : { hooks }),
    },
  };
}

/** What the pod's annotations say of the limits of this container. */
function annotatedResources(
  { options }: ContainerDeps,
  { pod, config }: ContainerPlan,
): Pick<ResourcesPlan, "unified" | "workload"> {
  const { annotations } = pod.record;
  const { name } = config.metadata;
  // The label is what the kubelet sets; crictl sets none.
  const unified = featureValue(
    annotations,
    featureAnnotation.unifiedCgroup,
    config.labels["io.kubernetes.container.name"] ?? name,
  );
  const workload = resourcesOfWorkload(options.workloads, annotations, name);
  return {
    ...(unified === undefined ? {} : { unified: parseUnified(unified) }),
    ...(workload === undefined ? {} : { workload }),
  };
}

async function devicesPlan(deps: ContainerDeps, { config, handler, pod }: ContainerPlan): Promise<DevicesPlan> {
  const annotated = featureValue(pod.record.annotations, featureAnnotation.devices) ?? "";
  const { privileged, runAsUser, runAsGroup } = config.security;
  const withHostDevices = privileged && !handler.privilegedWithoutHostDevices;
  return {
    configured: await Promise.all(
      [...deps.options.additionalDevices, ...parseAnnotatedDevices(annotated, deps.options.allowedDevices)].map(
        async (device) => ({
          node: await deviceNode(device.hostPath),
          containerPath: device.containerPath,
          permissions: device.permissions,
        }),
      ),
    ),
    hostDevices: withHostDevices ? await devicesBelow("/dev") : [],
    privilegedWithoutHostDevices: handler.privilegedWithoutHostDevices,
    requested: await Promise.all(
      config.devices.map(async (device) => ({
        ...device,
        found: await findDevice(device.hostPath),
        containerPathOnHost: privileged && (await isThere(device.containerPath)),
      })),
    ),
    ...(deps.options.deviceOwnershipFromSecurityContext
      ? { owner: { uid: Number(runAsUser ?? 0n), gid: Number(runAsGroup ?? 0n) } }
      : {}),
  };
}

function namespacesPlan(deps: ContainerDeps, { pod, config }: ContainerPlan): NamespacesPlan {
  const { namespaces, hasInfraProcess, hostNetwork } = pod.record;
  const wanted = config.security.namespaces;
  const shared = (kind: keyof PodNamespaces): NamespaceUse => {
    const path = namespaces[kind];
    return path === undefined ? { is: "host" } : { is: "join", path };
  };
  const infra = hasInfraProcess ? { infra: { pod: pod.record.id, pid: pod.infra.init?.pid ?? 0 } } : {};
  return {
    pid:
      wanted.pid === "target"
        ? targetPidNamespace(deps, wanted.targetId)
        : pidNamespace(wanted.pid === "pod" ? { mode: "pod", ...infra } : { mode: wanted.pid }),
    network: hostNetwork || wanted.network === "node" ? { is: "host" } : shared("net"),
    ipc: shared("ipc"),
    uts: shared("uts"),
    ...userNamespacePlan(pod.record),
  };
}

/** The runtime opens it while it creates the container, so it need not be pinned. */
function targetPidNamespace(deps: ContainerDeps, targetId: string): NamespaceUse {
  const target = containerWith(deps, targetId);
  if (target === undefined) return pidNamespace({ mode: "target", targetId });
  const { init, record, state } = target;
  if (init === undefined || !isLive(target)) {
    throw new Fault("precondition", `target PID namespace find PID: container ${record.id} is ${statusWord(state)}`);
  }
  return pidNamespace({ mode: "target", targetId, pinnedPath: `/proc/${init.pid}/ns/pid` });
}

function containerWith(deps: ContainerDeps, id: string): Container | undefined {
  try {
    return findContainer(deps, id);
  } catch {
    return undefined;
  }
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
