import { Fault } from "../base/index.ts";
import type { MountIdMapping, MountPropagation, MountRequest, MountRules, MountSource } from "./mount-request.ts";
import type { ReadyMount } from "./plan.ts";

/** An option of the mount, and what it asks of the root file system's mount. */
export interface SharedOption {
  readonly option: "rprivate" | "rslave" | "rshared";
  readonly rootfs?: "rslave" | "rshared";
}

/** How mounts spread between source and container. Rejects with Fault("invalid") when the source's mount does not spread so. */
export function propagationOption(
  propagation: MountPropagation,
  { path, mount }: Extract<MountSource, { readonly is: "host" }>,
): SharedOption {
  if (propagation === "private") return { option: "rprivate" };
  if (mount === undefined) throw new Fault("invalid", `could not find the source mount of "${path}"`);
  if (propagation === "bidirectional") {
    if (mount.shared) return { option: "rshared", rootfs: "rshared" };
    throw new Fault("invalid", `path "${path}" is mounted on "${mount.mountPoint}" but it is not a shared mount`);
  }
  if (mount.shared || mount.slave) return { option: "rslave", rootfs: "rslave" };
  throw new Fault(
    "invalid",
    `path "${path}" is mounted on "${mount.mountPoint}" but it is not a shared or slave mount`,
  );
}

/** CRI's names, for the texts. */
const propagationNames: Readonly<Record<MountPropagation, string>> = {
  private: "PROPAGATION_PRIVATE",
  "host-to-container": "PROPAGATION_HOST_TO_CONTAINER",
  bidirectional: "PROPAGATION_BIDIRECTIONAL",
};

/** Whether the container may write. Rejects with Fault("invalid") for a recursive read-only mount that cannot be had. */
export function accessOption(
  { readonly, recursiveReadOnly, hostPath }: MountRequest,
  { propagation, rules }: { readonly propagation: MountPropagation; readonly rules: MountRules },
): "ro" | "rw" | "rro" {
  if (!recursiveReadOnly) return readonly ? "ro" : "rw";
  const refuse = (why: string) => new Fault("invalid", `recursive read-only mount ${why}`);
  if (!readonly) throw refuse(`conflicts with read-write mount for hostPath "${hostPath}"`);
  if (!rules.runtime.recursiveReadOnly) throw refuse(`support is not available for hostPath "${hostPath}"`);
  if (propagation !== "private") {
    throw refuse(`requires private propagation for hostPath "${hostPath}", got: ${propagationNames[propagation]}`);
  }
  return "rro";
}

/** Ids on the mount, as the runtime spec has them. Rejects with Fault("invalid") when the runtime cannot map them. */
export function idMappings(
  { uidMappings, gidMappings }: MountRequest,
  { runtime }: MountRules,
): Pick<ReadyMount, "uidMappings" | "gidMappings"> {
  if (uidMappings.length === 0 && gidMappings.length === 0) return {};
  if (!runtime.idmap) {
    throw new Fault(
      "invalid",
      "idmap mounts specified but OCI runtime does not support them. Perhaps the OCI runtime is too old",
    );
  }
  const linux = ({ containerId, hostId, length }: MountIdMapping) => ({
    containerID: containerId,
    hostID: hostId,
    size: length,
  });
  return {
    ...(uidMappings.length === 0 ? {} : { uidMappings: uidMappings.map(linux) }),
    ...(gidMappings.length === 0 ? {} : { gidMappings: gidMappings.map(linux) }),
  };
}
