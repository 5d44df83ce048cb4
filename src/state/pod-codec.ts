import { nsFromRfc3339, rfc3339FromNs } from "../base/index.ts";
import type { IdMapping } from "../host/index.ts";
import {
  crioAnnotation,
  crioManager,
  type LinuxIdMapping,
  olderCrioAnnotation,
  type RuntimeSpec,
} from "../oci/index.ts";
import { AnnotationReader } from "./annotation-reader.ts";
import type { LinuxResources, StringMap } from "./kube.ts";
import {
  namespaceOptionsJson,
  parseNamespaceOptions,
  parsePodMetadata,
  parsePortMappings,
  podMetadataJson,
  portMappingsJson,
} from "./kube-json.ts";
import type { PodNamespaces, PodRecord } from "./pod.ts";

/** What a pod's annotations say beyond its record. */
export interface PodExtras {
  /** The pause image as configured, and its name and seccomp profile as used. */
  readonly image: string;
  readonly imageName: string;
  readonly seccompProfile: string;
  readonly logPath: string;
  readonly cniResult?: object;
  readonly overhead?: LinuxResources;
  readonly resources?: LinuxResources;
}

/**
 * Crio's own annotations of the infra container's config.json, from which CRI-O and we find the pod again (reference:
 * ondisk.md 3.3).
 */
export function podAnnotations(record: PodRecord, extras: PodExtras): StringMap {
  const a = crioAnnotation;
  return {
    [a.annotations]: JSON.stringify(record.annotations),
    [a.labels]: JSON.stringify(record.labels),
    [a.metadata]: podMetadataJson(record.metadata),
    [a.containerId]: record.id,
    [a.containerName]: record.infraName,
    [a.containerType]: "sandbox",
    [a.created]: rfc3339FromNs(record.createdAtNs),
    [a.name]: record.name,
    [a.namespace]: record.metadata.namespace,
    [a.kubeName]: record.metadata.name,
    [a.hostName]: record.hostname,
    [a.hostNetwork]: String(record.hostNetwork),
    [a.hostnamePath]: record.hostnamePath,
    [a.cgroupParent]: record.cgroupParent,
    [a.namespaceOptions]: namespaceOptionsJson(record.namespaceOptions),
    [a.portMappings]: portMappingsJson(record.portMappings),
    [a.privilegedRuntime]: String(record.privileged),
    [a.resolvPath]: record.resolvPath,
    [a.shmPath]: record.shmPath,
    [a.mountPoint]: record.mountPoint,
    [a.runtimeHandler]: record.runtimeHandler,
    [a.sandboxId]: record.id,
    [a.sandboxName]: record.name,
    [a.image]: extras.image,
    [a.imageName]: extras.imageName,
    [a.seccompProfilePath]: extras.seccompProfile,
    [a.logPath]: extras.logPath,
    [a.manager]: crioManager,
    ...(extras.cniResult === undefined ? {} : { [a.cniResult]: JSON.stringify(extras.cniResult) }),
    ...(extras.overhead === undefined ? {} : { [a.podLinuxOverhead]: resourcesJson(extras.overhead) }),
    ...(extras.resources === undefined ? {} : { [a.podLinuxResources]: resourcesJson(extras.resources) }),
    ...(record.hasInfraProcess ? {} : { [a.spoofed]: "true" }),
  };
}

/** The pod that a config.json records, ours or CRI-O's. Throws code `corrupt` when something it cannot do without is missing. */
export function podRecordFrom(
  id: string,
  spec: RuntimeSpec,
  dirs: { readonly dir: string; readonly runDir: string },
): PodRecord {
  const a = crioAnnotation;
  const from = new AnnotationReader(spec, `pod ${id}`);
  const metadata = from.parsed(a.metadata, parsePodMetadata);
  return {
    id,
    name: from.required(a.name),
    infraName: from.text(a.containerName),
    metadata,
    labels: from.map(a.labels),
    annotations: from.map(a.annotations),
    createdAtNs: from.parsed(a.created, nsFromRfc3339),
    runtimeHandler: from.text(a.runtimeHandler),
    logDirectory: logDirectoryOf(from.text(a.logPath)),
    hostname: from.text(a.hostName),
    cgroupParent: from.text(a.cgroupParent),
    namespaceOptions: from.parsed(a.namespaceOptions, parseNamespaceOptions),
    hostNetwork: from.isTrue(a.hostNetwork),
    privileged: from.isTrue(a.privilegedRuntime),
    portMappings: from.text(a.portMappings) === "" ? [] : from.parsed(a.portMappings, parsePortMappings),
    namespaces: namespacesOf(spec),
    ...userNamespaceOf(spec),
    shmPath: from.text(a.shmPath),
    resolvPath: from.text(a.resolvPath),
    hostnamePath: from.text(a.hostnamePath),
    mountPoint: from.text(a.mountPoint),
    hasInfraProcess: !(from.isTrue(a.spoofed) || from.isTrue(olderCrioAnnotation.spoofed)),
    dir: dirs.dir,
    runDir: dirs.runDir,
  };
}

/** JSON of CRI's LinuxContainerResources as Go writes it. */
function resourcesJson(resources: LinuxResources): string {
  const fields: Record<string, unknown> = {
    cpu_period: Number(resources.cpuPeriod),
    cpu_quota: Number(resources.cpuQuota),
    cpu_shares: Number(resources.cpuShares),
    memory_limit_in_bytes: Number(resources.memoryLimitInBytes),
    oom_score_adj: Number(resources.oomScoreAdj),
    cpuset_cpus: resources.cpusetCpus,
    cpuset_mems: resources.cpusetMems,
    hugepage_limits: resources.hugepageLimits.map(({ pageSize, limit }) => ({
      page_size: pageSize,
      limit: Number(limit),
    })),
    unified: resources.unified,
    memory_swap_limit_in_bytes: Number(resources.memorySwapLimitInBytes),
  };
  const isZero = (value: unknown) =>
    value === 0 || value === "" || (typeof value === "object" && value !== null && Object.keys(value).length === 0);
  return JSON.stringify(Object.fromEntries(Object.entries(fields).filter(([, value]) => !isZero(value))));
}

function namespacesOf(spec: RuntimeSpec): PodNamespaces {
  const path = (type: string) => spec.linux?.namespaces?.find((namespace) => namespace.type === type)?.path;
  const [net, ipc, uts, user] = [path("network"), path("ipc"), path("uts"), path("user")];
  return {
    ...(net === undefined ? {} : { net }),
    ...(ipc === undefined ? {} : { ipc }),
    ...(uts === undefined ? {} : { uts }),
    ...(user === undefined ? {} : { user }),
  };
}

/** From the spec rather than from what was asked for: CRI-O also has pods whose ids were chosen by an annotation. */
function userNamespaceOf({ linux }: RuntimeSpec): Pick<PodRecord, "userNamespace"> {
  const { uidMappings = [], gidMappings = [] } = linux ?? {};
  if (uidMappings.length === 0 || gidMappings.length === 0) return {};
  return { userNamespace: { uids: uidMappings.map(idMapping), gids: gidMappings.map(idMapping) } };
}

function idMapping({ containerID, hostID, size }: LinuxIdMapping): IdMapping {
  return { containerId: containerID, hostId: hostID, size };
}

/** The infra container's log lies in the pod's log directory. */
function logDirectoryOf(logPath: string): string {
  return logPath.includes("/") ? logPath.slice(0, logPath.lastIndexOf("/")) : "";
}
