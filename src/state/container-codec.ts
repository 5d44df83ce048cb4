import { nsFromRfc3339, rfc3339FromNs } from "../base/index.ts";
import {
  crioAnnotation,
  crioManager,
  ipAnnotation,
  type JsonObject,
  jsonField,
  jsonList,
  jsonObject,
  jsonText,
  olderCrioAnnotation,
  type RuntimeSpec,
} from "../oci/index.ts";
import { AnnotationReader } from "./annotation-reader.ts";
import type { ContainerRecord, MountPropagation, Volume } from "./container.ts";
import type { StringMap } from "./kube.ts";
import { containerMetadataJson, parseContainerMetadata } from "./kube-json.ts";
import type { PodRecord } from "./pod.ts";

const propagations: readonly MountPropagation[] = ["private", "host-to-container", "bidirectional"];

/** What a container's annotations say beyond its record. */
export interface ContainerExtras {
  readonly pod: PodRecord;
  readonly podIps: readonly string[];
  readonly seccompProfile: string;
}

/** Crio's own annotations of a container's config.json, from which CRI-O and we find it again (reference: ondisk.md 3.3). */
export function containerAnnotations(record: ContainerRecord, extras: ContainerExtras): StringMap {
  const a = crioAnnotation;
  return {
    [a.annotations]: JSON.stringify(record.annotations),
    [a.labels]: JSON.stringify(record.labels),
    [a.metadata]: containerMetadataJson(record.metadata),
    [a.containerId]: record.id,
    [a.containerType]: "container",
    [a.created]: rfc3339FromNs(record.createdAtNs),
    [a.name]: record.name,
    [a.sandboxId]: record.podId,
    [a.sandboxName]: extras.pod.name,
    [a.image]: record.image.requested,
    [a.imageName]: record.image.name,
    [a.imageRef]: record.image.id,
    [a.imageRepoDigests]: record.image.repoDigests.join(","),
    [a.logPath]: record.logPath,
    [a.mountPoint]: record.mountPoint,
    [a.resolvPath]: extras.pod.resolvPath,
    [a.seccompProfilePath]: extras.seccompProfile,
    [a.tty]: String(record.tty),
    [a.stdin]: String(record.stdin),
    [a.stdinOnce]: String(record.stdinOnce),
    [a.volumes]: JSON.stringify(record.volumes.map(volumeBody)),
    [a.platformRuntimePath]: record.runtimePath,
    [a.manager]: crioManager,
    ...(record.stopSignal === "" ? {} : { [a.stopSignal]: record.stopSignal }),
    ...Object.fromEntries(extras.podIps.map((ip, index) => [ipAnnotation(index), ip])),
  };
}

/** The container that a config.json records. Throws code `corrupt` when something it cannot do without is missing. */
export function containerRecordFrom(
  id: string,
  spec: RuntimeSpec,
  place: {
    readonly dir: string;
    readonly runDir: string;
    readonly runtimeHandler: string;
    readonly privileged: boolean;
  },
): ContainerRecord {
  const a = crioAnnotation;
  const from = new AnnotationReader(spec, `container ${id}`);
  return {
    id,
    podId: from.required(a.sandboxId),
    name: from.required(a.name),
    metadata: from.parsed(a.metadata, parseContainerMetadata),
    image: {
      requested: from.text(a.image),
      name: from.text(a.imageName),
      id: from.text(a.imageRef),
      repoDigests: from
        .text(a.imageRepoDigests)
        .split(",")
        .filter((digest) => digest !== ""),
    },
    labels: from.map(a.labels),
    annotations: from.map(a.annotations),
    createdAtNs: from.parsed(a.created, nsFromRfc3339),
    logPath: from.text(a.logPath),
    tty: from.isTrue(a.tty),
    stdin: from.isTrue(a.stdin),
    stdinOnce: from.isTrue(a.stdinOnce),
    mountPoint: from.text(a.mountPoint),
    volumes: from.text(a.volumes) === "" ? [] : from.parsed(a.volumes, parseVolumes),
    stopSignal: from.text(a.stopSignal),
    runtimeHandler: place.runtimeHandler,
    runtimePath: from.text(a.platformRuntimePath) || from.text(olderCrioAnnotation.platformRuntimePath),
    privileged: place.privileged,
    dir: place.dir,
    runDir: place.runDir,
  };
}

/** Whether a config.json is of a container that crio, ours or theirs, manages: podman's are left alone. */
export function isCrioSpec(spec: RuntimeSpec): boolean {
  const manager = spec.annotations?.[crioAnnotation.manager];
  return manager === undefined || manager === "" || manager === crioManager;
}

function volumeBody(volume: Volume): object {
  return {
    container_path: volume.containerPath,
    host_path: volume.hostPath,
    readonly: volume.readonly,
    recursive_read_only: volume.recursiveReadOnly,
    propagation: propagations.indexOf(volume.propagation),
    selinux_relabel: volume.selinuxRelabel,
    ...(volume.image === undefined ? {} : { image: { image: volume.image } }),
  };
}

function parseVolumes(text: string): readonly Volume[] {
  const body = { list: JSON.parse(text) as unknown };
  return jsonList(body, "list", "Volumes", 100_000).map((entry) => volumeFrom(jsonObject(entry, "Volumes")));
}

function volumeFrom(body: JsonObject): Volume {
  const propagation = jsonField(body, "propagation");
  const image = jsonField(body, "image");
  const imageId = image === undefined ? undefined : jsonText(jsonObject(image, "image"), "image", "image");
  return {
    containerPath: jsonText(body, "container_path", "Volumes") ?? "",
    hostPath: jsonText(body, "host_path", "Volumes") ?? "",
    readonly: jsonField(body, "readonly") === true,
    recursiveReadOnly: jsonField(body, "recursive_read_only") === true,
    propagation: (typeof propagation === "number" ? propagations[propagation] : undefined) ?? "private",
    selinuxRelabel: jsonField(body, "selinux_relabel") === true,
    ...(imageId === undefined ? {} : { image: imageId }),
  };
}
