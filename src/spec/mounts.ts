import { assertNever, Fault } from "../base/index.ts";
import { artifactMounts, imageMount, mappedImageMount } from "./image-mounts.ts";
import { withMounts } from "./mount-list.ts";
import { accessOption, idMappings, propagationOption } from "./mount-options.ts";
import {
  checkMountRequests,
  type MountRequest,
  type MountRules,
  type MountSource,
  type PlannedMounts,
  type PlannedVolume,
  type RequestedMount,
} from "./mount-request.ts";
import { cleanPath, depthOf, isWithin } from "./paths.ts";

/**
 * The mounts of a request (reference: cri.md 3.2): sorted by depth, options in CRI-O's order, everything checked. Rejects with
 * Fault("invalid"); for images and artifacts its text starts with `ImageVolumeMountFailed: `, which the kubelet looks for.
 */
export function planMounts(requested: readonly RequestedMount[], rules: MountRules): PlannedMounts {
  checkMountRequests(requested.map(({ request }) => request));
  const sorted = requested.toSorted((a, b) => depthOf(a.request.containerPath) - depthOf(b.request.containerPath));
  const parts = sorted.map(({ request, source }) => planMount(request, { source, rules }));
  const propagations = new Set(parts.map((part) => part.rootfsPropagation));
  const rootfsPropagation = (["rshared", "rslave"] as const).find((propagation) => propagations.has(propagation));
  return {
    images: withMounts(
      [],
      parts.flatMap((part) => part.images),
    ),
    binds: withMounts(
      [],
      parts.flatMap((part) => part.binds),
    ),
    destinations: new Set(sorted.map(({ request }) => cleanPath(request.containerPath))),
    ...(rootfsPropagation === undefined ? {} : { rootfsPropagation }),
    createDirectories: parts.flatMap((part) => part.createDirectories),
    relabel: parts.flatMap((part) => part.relabel),
    volumes: parts.flatMap((part) => part.volumes),
    warnings: parts.flatMap((part) => part.warnings),
  };
}

type MountPart = Omit<PlannedMounts, "destinations">;

const nothing: MountPart = { images: [], binds: [], createDirectories: [], relabel: [], volumes: [], warnings: [] };

interface MountContext<S extends MountSource = MountSource> {
  readonly source: S;
  readonly rules: MountRules;
}

type SourceOf<K extends MountSource["is"]> = Extract<MountSource, { readonly is: K }>;

function planMount(request: MountRequest, { source, rules }: MountContext): MountPart {
  switch (source.is) {
    case "host":
      return planHostMount(request, { source, rules });
    case "image":
      return planImageMount(request, { source, rules });
    case "artifact":
      return planArtifactMount(request, { source, rules });
    default:
      return assertNever(source);
  }
}

function planHostMount(request: MountRequest, { source, rules }: MountContext<SourceOf<"host">>): MountPart {
  const { path, exists } = source;
  const destination = cleanPath(request.containerPath);
  if (!exists && rules.absentSourcesToReject.includes(cleanPath(path))) {
    throw new Fault("invalid", `cannot mount ${path}: path does not exist and will cause issues as a directory`);
  }
  const holdsStorage = request.propagation === "private" && isWithin(cleanPath(rules.storageRoot), cleanPath(path));
  const propagation = holdsStorage ? "host-to-container" : request.propagation;
  const shared = propagationOption(propagation, source);
  const access = accessOption(request, { propagation, rules });
  const mappings = idMappings(request, rules);
  return {
    ...nothing,
    binds: [
      { destination, type: "bind", source: path, options: ["rbind", shared.option, access, "bind"], ...mappings },
    ],
    ...(shared.rootfs === undefined ? {} : { rootfsPropagation: shared.rootfs }),
    createDirectories: exists ? [] : [path],
    relabel: request.selinuxRelabel && !rules.keepLabels ? [path] : [],
    volumes: [
      {
        containerPath: request.containerPath,
        hostPath: path,
        readonly: request.readonly,
        recursiveReadOnly: request.recursiveReadOnly,
        propagation,
        selinuxRelabel: request.selinuxRelabel,
      },
    ],
    warnings: [
      ...(path === "/" && destination === "/" ? ["a mount puts the host's root over the container's root"] : []),
      ...(holdsStorage ? [`mount ${path} holds the container storage: made to follow the host's mounts`] : []),
    ],
  };
}

function planImageMount(request: MountRequest, { source, rules }: MountContext<SourceOf<"image">>): MountPart {
  return inImageVolume(() => ({
    ...nothing,
    images: [
      {
        ...(source.isMapped
          ? mappedImageMount(cleanPath(request.containerPath), source.path)
          : {
              ...imageMount(cleanPath(request.containerPath), {
                path: source.path,
                emptyDirectory: rules.emptyDirectory,
              }),
              ...idMappings(request, rules),
            }),
      },
    ],
    volumes: [{ ...readonlyVolume(request, { hostPath: source.path }), image: source.imageId }],
  }));
}

function planArtifactMount(request: MountRequest, { source, rules }: MountContext<SourceOf<"artifact">>): MountPart {
  return inImageVolume(() => {
    const { image = "", imageSubPath } = request;
    const images = artifactMounts(cleanPath(request.containerPath), {
      files: source.files,
      subPath: imageSubPath,
      image,
    });
    return {
      ...nothing,
      images,
      relabel: request.selinuxRelabel && !rules.keepLabels ? images.map((mount) => mount.source) : [],
      volumes: images.map((mount) =>
        readonlyVolume({ ...request, containerPath: mount.destination }, { hostPath: mount.source }),
      ),
    };
  });
}

function readonlyVolume(request: MountRequest, { hostPath }: { readonly hostPath: string }): PlannedVolume {
  const { containerPath, selinuxRelabel } = request;
  return { containerPath, hostPath, readonly: true, recursiveReadOnly: false, propagation: "private", selinuxRelabel };
}

function inImageVolume<T>(plan: () => T): T {
  try {
    return plan();
  } catch (error) {
    if (error instanceof Fault)
      throw new Fault(error.code, `ImageVolumeMountFailed: ${error.message}`, { cause: error });
    throw error;
  }
}
