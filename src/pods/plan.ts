import { hostname as hostHostname } from "node:os";
import { isAbsolute, join } from "node:path";
import { Fault } from "../base/index.ts";
import { allowedAnnotations, checkedLogDirectory, checkLabels, workloadOf } from "../containers/index.ts";
import { featureAnnotation, featureValue } from "../oci/index.ts";
import type { RuntimeHandler } from "../runtime/index.ts";
import { filterAnnotations, filterSysctls, type SeLinuxLabels, skippedSysctlText } from "../security/index.ts";
import type { PodRecord, StringMap } from "../state/index.ts";
import type { PodConfig } from "./config.ts";
import type { PodDeps } from "./deps.ts";
import { defaultShmBytes } from "./files.ts";
import { infraName, podName } from "./names.ts";
import { namespacePins, type Pins } from "./namespaces.ts";
import { parseShmSize } from "./shm-size.ts";
import { planUserNamespace } from "./user-namespace.ts";

/** All that is decided of a pod before anything is acquired. */
export interface PodPlan {
  readonly record: PodRecord;
  readonly config: PodConfig;
  readonly handler: RuntimeHandler;
  /** Namespaces of its own that are made and pinned. */
  readonly pins: Partial<Pins>;
  readonly sysctls: readonly (readonly [name: string, value: string])[];
  readonly shm: { readonly is: "host" } | { readonly is: "own"; readonly sizeBytes: bigint };
  readonly cgroupsPath?: string;
  readonly labels: SeLinuxLabels;
}

/** Longest host name that the kernel takes, in bytes. */
const maxHostnameBytes = 64;

/** Decides everything about a pod, and rejects whatever is wrong with the request. Nothing has happened yet. */
export function planPod(deps: PodDeps, config: PodConfig, request: { readonly id: string; readonly handler: string }) {
  const { id } = request;
  const handler = deps.handlers.offered(request.handler);
  const { namespaces, privileged } = config.security;
  const hostNetwork = namespaces.network === "node";
  const userNamespace = planUserNamespace(namespaces);
  const labels = withPodLabels(config);
  checkLabels(labels);
  const annotations = podAnnotationsFor(deps, handler, config.annotations);
  const allPins = namespacePins(deps.options.namespacesDir, id);
  const pins = {
    ...(hostNetwork ? {} : { net: allPins.net }),
    ...(namespaces.ipc === "node" ? {} : { ipc: allPins.ipc }),
    uts: allPins.uts,
    ...(userNamespace === undefined ? {} : { user: allPins.user }),
  };
  const { cgroupParent, cgroupsPath } = deps.cgroups.sandboxPath(config.cgroupParent, id);
  const runDir = deps.store.containerRunDir(id);
  const shm = shmPlan(namespaces.ipc === "node", annotations);
  const record: PodRecord = {
    id,
    name: podName(config.metadata),
    infraName: infraName(config.metadata),
    metadata: config.metadata,
    labels,
    annotations,
    createdAtNs: deps.clock.nowNs(),
    runtimeHandler: request.handler,
    logDirectory: logDirectoryOf(deps, config, id),
    hostname: hostnameOf(config, hostNetwork, id),
    cgroupParent,
    namespaceOptions: namespaces,
    hostNetwork,
    privileged: privileged || [namespaces.network, namespaces.pid, namespaces.ipc].includes("node"),
    portMappings: config.portMappings.filter(({ hostPort }) => hostPort > 0),
    namespaces: pins,
    ...(userNamespace === undefined ? {} : { userNamespace }),
    shmPath: shm.is === "host" ? "/dev/shm" : join(runDir, "shm"),
    resolvPath: join(runDir, "resolv.conf"),
    hostnamePath: join(runDir, "hostname"),
    mountPoint: "",
    hasInfraProcess: !deps.podOptions.dropInfra || namespaces.pid === "pod" || runsVirtualMachines(handler),
    dir: deps.store.containerDir(id),
    runDir,
  };
  const plan: PodPlan = {
    record,
    config,
    handler,
    pins,
    sysctls: sysctlsFor(deps, config, record),
    shm,
    labels: deps.selinux.reserve(id, {
      namespaces,
      options: config.security.selinux,
      isVirtualMachine: runsVirtualMachines(handler),
    }),
    ...(cgroupsPath === undefined ? {} : { cgroupsPath }),
  };
  return plan;
}

/** The handler's default annotations under the pod's own, without those that neither the handler nor the pod's workload allows. */
function podAnnotationsFor(deps: PodDeps, handler: RuntimeHandler, annotations: StringMap): StringMap {
  const allowed = allowedAnnotations(handler, workloadOf(deps.options.workloads, annotations));
  return { ...handler.defaultAnnotations, ...filterAnnotations(annotations, allowed) };
}

/** By its name, as CRI-O has it: such a runtime keeps pods apart by kernels of their own. */
function runsVirtualMachines({ name }: RuntimeHandler): boolean {
  return /kata/i.test(name);
}

/** Requests of crictl lack the labels by which the kubelet and cAdvisor know a pod. */
function withPodLabels({ labels, metadata }: PodConfig): StringMap {
  return {
    "io.kubernetes.pod.name": metadata.name,
    "io.kubernetes.pod.namespace": metadata.namespace,
    "io.kubernetes.pod.uid": metadata.uid,
    ...labels,
    "io.kubernetes.container.name": "POD",
  };
}

function sysctlsFor(deps: PodDeps, config: PodConfig, { hostNetwork, userNamespace }: PodRecord): PodPlan["sysctls"] {
  const { apply, skipped } = filterSysctls({
    defaults: deps.podOptions.defaultSysctls,
    requested: config.sysctls,
    hostIpc: config.security.namespaces.ipc === "node",
    hostNetwork,
    ...(userNamespace === undefined ? {} : { gidMappings: userNamespace.gids }),
  });
  for (const one of skipped) deps.log.warn(skippedSysctlText(one));
  return apply;
}

function shmPlan(hostIpc: boolean, annotations: StringMap): PodPlan["shm"] {
  if (hostIpc) return { is: "host" };
  const wanted = featureValue(annotations, featureAnnotation.shmSize);
  return { is: "own", sizeBytes: wanted === undefined ? defaultShmBytes : parseShmSize(wanted) };
}

function logDirectoryOf(deps: PodDeps, config: PodConfig, id: string): string {
  if (config.logDirectory === "") return join(deps.options.logDir, id);
  if (!isAbsolute(config.logDirectory)) {
    const what = `requested logDir for sbuilder ID ${id} is a relative path`;
    throw new Fault("invalid", `${what}: ${config.logDirectory}`);
  }
  return checkedLogDirectory(config.logDirectory);
}

function hostnameOf(config: PodConfig, hostNetwork: boolean, id: string): string {
  const name = config.hostname !== "" ? config.hostname : hostNetwork ? hostHostname() : id.slice(0, 12);
  if (/[\u0000-\u001f\u007f\u0085\u2028\u2029\s/:]/.test(name)) {
    throw new Fault("invalid", `hostname ${JSON.stringify(name.slice(0, 80))} holds a character that no host name has`);
  }
  if (Buffer.byteLength(name) > maxHostnameBytes) {
    throw new Fault("invalid", `hostname ${name.slice(0, 80)} is over the kernel's limit of ${maxHostnameBytes} bytes`);
  }
  return name;
}
