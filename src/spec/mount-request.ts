import { Fault } from "../base/index.ts";
import { refuseNul } from "./paths.ts";
import type { ReadyMount } from "./plan.ts";

export type MountPropagation = "private" | "host-to-container" | "bidirectional";

/** Ids on the mount: `containerId…` in the container are `hostId…` on the source's file system. */
export interface MountIdMapping {
  readonly hostId: number;
  readonly containerId: number;
  readonly length: number;
}

/** A mount as CRI's request has it. */
export interface MountRequest {
  readonly containerPath: string;
  readonly hostPath: string;
  readonly readonly: boolean;
  readonly recursiveReadOnly: boolean;
  readonly selinuxRelabel: boolean;
  readonly propagation: MountPropagation;
  readonly uidMappings: readonly MountIdMapping[];
  readonly gidMappings: readonly MountIdMapping[];
  /** An image to mount instead of a host path. */
  readonly image?: string;
  readonly imageSubPath: string;
}

/** What the caller found on disk for a request. */
export type MountSource =
  | {
      readonly is: "host";
      /** hostPath below bind_mount_prefix, its last symbolic link followed. */
      readonly path: string;
      readonly exists: boolean;
      /** The mount that `path` (or its nearest existing parent) is on; absent when the mount table has none. */
      readonly mount?: { readonly mountPoint: string; readonly shared: boolean; readonly slave: boolean };
    }
  | {
      readonly is: "image";
      readonly imageId: string;
      /** The image's (or its sub path's) mounted root. */
      readonly path: string;
      /** It was mounted for the pod's user namespace, with the owners that belong there. */
      readonly isMapped: boolean;
    }
  | {
      readonly is: "artifact";
      /** Named layer blobs: name of the annotation, path of the blob. */
      readonly files: readonly { readonly name: string; readonly path: string }[];
    };

export interface RequestedMount {
  readonly request: MountRequest;
  readonly source: MountSource;
}

/** What decides about mounts beside the requests. */
export interface MountRules {
  /** The graph root. */
  readonly storageRoot: string;
  /** The always empty directory that image mounts are stacked on. */
  readonly emptyDirectory: string;
  /** `absent_mount_sources_to_reject`. */
  readonly absentSourcesToReject: readonly string[];
  /** What the handler's runtime can do (`features`). */
  readonly runtime: { readonly idmap: boolean; readonly recursiveReadOnly: boolean };
  /** The container's type is spc_t: volumes keep their labels. */
  readonly keepLabels: boolean;
}

/** A mount as ContainerStatus tells it and the Volumes annotation keeps it. */
export interface PlannedVolume {
  readonly containerPath: string;
  readonly hostPath: string;
  readonly readonly: boolean;
  readonly recursiveReadOnly: boolean;
  readonly propagation: MountPropagation;
  readonly selinuxRelabel: boolean;
  /** Id of the image. */
  readonly image?: string;
}

export interface PlannedMounts {
  /** Images and artifacts: these come before the pod's own files. */
  readonly images: readonly ReadyMount[];
  /** Host paths: these come last. */
  readonly binds: readonly ReadyMount[];
  /** Where the request mounts something, as clean paths. */
  readonly destinations: ReadonlySet<string>;
  readonly rootfsPropagation?: "rslave" | "rshared";
  /** Sources to be made (mkdir -p, 0755) before the container starts. */
  readonly createDirectories: readonly string[];
  /** Sources to be labelled with the container's mount label. */
  readonly relabel: readonly string[];
  readonly volumes: readonly PlannedVolume[];
  readonly warnings: readonly string[];
}

/** What can be said of the requests before anything is looked up on disk. Rejects with Fault("invalid"). */
export function checkMountRequests(requests: readonly MountRequest[]): void {
  for (const { containerPath, hostPath, image, imageSubPath } of requests) {
    if (containerPath === "") throw new Fault("invalid", "mount.ContainerPath is empty");
    if (hostPath === "" && image === undefined) throw new Fault("invalid", "mount.HostPath is empty");
    for (const path of [containerPath, hostPath, imageSubPath]) refuseNul(path, "a mount's path");
  }
}
