import { basename } from "node:path";
import { Fault } from "../base/index.ts";
import { type CgroupPath, checkId, childCgroup, parseCgroupPath } from "./path.ts";
import { expandSlice, sliceOf, systemSlice } from "./slice.ts";

export type CgroupDriver = "systemd" | "cgroupfs";

/** What a pod is told about its cgroups. */
export interface SandboxCgroup {
  /** As it is recorded with the pod and handed to its containers; "" for none. */
  readonly cgroupParent: string;
  /** `linux.cgroupsPath` of the infra container; absent when the runtime shall choose. */
  readonly cgroupsPath?: string;
}

/** Where the cgroups of pods and containers are, by the rules of one driver. Pure; refuses hostile ids and parents with Fault("invalid"). */
export interface CgroupLayout {
  readonly driver: CgroupDriver;
  /** For a pod whose configuration names `parent` ("" for none). Refuses a slice under cgroupfs and anything else under systemd. */
  sandboxPath(parent: string, id: string): SandboxCgroup;
  /** `linux.cgroupsPath` of a container of a pod whose recorded parent is `parent`. */
  containerPath(parent: string, id: string): string;
  /** The pod's own cgroup; undefined for a pod without a parent. Of a pod of the other driver, too. */
  podCgroup(parent: string): CgroupPath | undefined;
  /** The cgroup that the OCI runtime makes for a container, or for an infra container that is kept. Of a pod of the other driver, too. */
  containerCgroup(parent: string, id: string): CgroupPath;
}

export function layoutOf(driver: CgroupDriver): CgroupLayout {
  return driver === "systemd" ? systemdLayout : cgroupfsLayout;
}

const systemdLayout: CgroupLayout = {
  driver: "systemd",
  sandboxPath(parent, id) {
    if (parent === "") return { cgroupParent: "" };
    const slice = requireSlice(parent);
    return { cgroupParent: slice, cgroupsPath: `${slice}:crio:${checkId(id)}` };
  },
  containerPath: (parent, id) => `${parentSlice(parent)}:crio:${checkId(id)}`,
  podCgroup: recordedPodCgroup,
  containerCgroup: (parent, id) => recordedContainerCgroup(parent === "" ? systemSlice : parent, id),
};

const cgroupfsLayout: CgroupLayout = {
  driver: "cgroupfs",
  sandboxPath(parent, id) {
    refuseSlice(parent);
    return { cgroupParent: parent, cgroupsPath: childCgroup(parseCgroupPath(parent), `crio-${checkId(id)}`) };
  },
  containerPath: (parent, id) => cgroupfsLayout.containerCgroup(parent, id),
  podCgroup: recordedPodCgroup,
  containerCgroup: (parent, id) => recordedContainerCgroup(parent === "" ? "/crio" : parent, id),
};

// A pod that was made under the other driver keeps its cgroups, and they must still be found to be read and removed:
// a recorded parent tells by its form which driver wrote it.
function recordedPodCgroup(parent: string): CgroupPath | undefined {
  if (parent === "") return undefined;
  const slice = sliceOf(parent);
  return slice === undefined ? parseCgroupPath(parent) : expandSlice(slice);
}

function recordedContainerCgroup(parent: string, id: string): CgroupPath {
  const slice = sliceOf(parent);
  if (slice === undefined) return childCgroup(parseCgroupPath(parent), `crio-${checkId(id)}`);
  return childCgroup(expandSlice(slice), `crio-${checkId(id)}.scope`);
}

function parentSlice(parent: string): string {
  return parent === "" ? systemSlice : requireSlice(parent);
}

function requireSlice(parent: string): string {
  const slice = sliceOf(parent);
  if (slice !== undefined) return slice;
  throw new Fault(
    "invalid",
    `cri-o configured with systemd cgroup manager, but did not receive slice as parent: ${parent}`,
  );
}

function refuseSlice(parent: string): void {
  if (!basename(parseCgroupPath(parent)).endsWith(".slice")) return;
  throw new Fault(
    "invalid",
    `cri-o configured with cgroupfs cgroup manager, but received systemd slice as parent: ${parent}`,
  );
}
