import { assertNever, Fault } from "../base/index.ts";
import type { LinuxDevice, LinuxDeviceRule } from "../oci/index.ts";
import { cleanPath, refuseNul } from "./paths.ts";
import { denyAllDevices } from "./template.ts";

/** A device node of the host as `stat` shows it. */
export interface DeviceNode {
  readonly path: string;
  readonly type: "b" | "c";
  readonly major: number;
  readonly minor: number;
  /** Permission bits. */
  readonly fileMode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface DevicesPlan {
  /** `additional_devices` of the configuration, then those of the devices annotation. */
  readonly configured: readonly ConfiguredDevice[];
  /** All device nodes of the host, for privileged containers; pass none where the handler says privileged_without_host_devices. */
  readonly hostDevices: readonly DeviceNode[];
  /** Of the handler. */
  readonly privilegedWithoutHostDevices: boolean;
  readonly requested: readonly RequestedDevice[];
  /** run_as_user and run_as_group, where `device_ownership_from_security_context` says so. */
  readonly owner?: { readonly uid?: number; readonly gid?: number };
}

export interface ConfiguredDevice {
  readonly node: DeviceNode;
  readonly containerPath: string;
  readonly permissions: string;
}

/** A device of the request, with what is at its host path (symbolic links followed). */
export interface RequestedDevice {
  readonly containerPath: string;
  readonly hostPath: string;
  readonly permissions: string;
  readonly found:
    | { readonly is: "node"; readonly node: DeviceNode }
    /** All device nodes below. */
    | { readonly is: "directory"; readonly path: string; readonly nodes: readonly DeviceNode[] }
    | { readonly is: "other" };
  /** Whether the host has something at containerPath; asked for privileged containers. */
  readonly containerPathOnHost: boolean;
}

export interface PlannedDevices {
  readonly devices: readonly LinuxDevice[];
  readonly rules: readonly LinuxDeviceRule[];
}

/** Devices of a container and what its cgroup may use (reference: cri.md 3.3). Rejects with Fault("invalid"). */
export function planDevices(plan: DevicesPlan, { privileged }: { readonly privileged: boolean }): PlannedDevices {
  const openToAll = privileged && !plan.privilegedWithoutHostDevices;
  const parts = [
    ...plan.configured.map(({ node, containerPath, permissions }) => devicePart(node, { containerPath, permissions })),
    ...(openToAll ? plan.hostDevices.filter(isReal).map(hostDevice) : []),
    ...plan.requested.flatMap((device) => requestedDevice(device, { plan, privileged })),
  ];
  return {
    devices: lastAtEachPath(parts.map((part) => part.device)),
    rules: openToAll
      ? [{ allow: true, access: "rwm" }, ...parts.flatMap((part) => (part.isRequested ? part.rules : []))]
      : [denyAllDevices, ...parts.flatMap((part) => part.rules)],
  };
}

interface DevicePart {
  readonly device: LinuxDevice;
  readonly rules: readonly LinuxDeviceRule[];
  readonly isRequested: boolean;
}

function requestedDevice(
  device: RequestedDevice,
  { plan, privileged }: { readonly plan: DevicesPlan; readonly privileged: boolean },
): readonly DevicePart[] {
  const { containerPath, hostPath, permissions, found } = device;
  if (privileged && containerPath !== hostPath && device.containerPathOnHost) {
    throw new Fault(
      "invalid",
      "privileged container was configured with a device container path that already exists on the host",
    );
  }
  switch (found.is) {
    case "node": {
      const owned = { ...found.node, ...ownership(plan.owner) };
      return [{ ...devicePart(owned, { containerPath, permissions }), isRequested: true }];
    }
    case "directory":
      return found.nodes.map((node) => {
        const inside = cleanPath(`${containerPath}/${node.path.slice(found.path.length)}`);
        return { ...devicePart(node, { containerPath: inside, permissions }), isRequested: true };
      });
    case "other":
      return [];
    default:
      return assertNever(found);
  }
}

function devicePart(
  node: DeviceNode,
  { containerPath, permissions }: { readonly containerPath: string; readonly permissions: string },
): DevicePart {
  const { type, major, minor } = node;
  return {
    device: linuxDevice(node, containerPath),
    rules: [{ allow: true, type, major, minor, access: checkedPermissions(permissions) }],
    isRequested: false,
  };
}

function hostDevice(node: DeviceNode): DevicePart {
  return { device: linuxDevice(node, node.path), rules: [], isRequested: false };
}

function linuxDevice({ type, major, minor, fileMode, uid, gid }: DeviceNode, containerPath: string): LinuxDevice {
  refuseNul(containerPath, "a device's path");
  if (!containerPath.startsWith("/")) {
    throw new Fault("invalid", `the path of device ${JSON.stringify(containerPath)} is not absolute`);
  }
  return { path: containerPath, type, major, minor, fileMode, uid, gid };
}

function ownership(owner: DevicesPlan["owner"]): Partial<Pick<DeviceNode, "uid" | "gid">> {
  const { uid = 0, gid = 0 } = owner ?? {};
  return { ...(uid > 0 ? { uid } : {}), ...(gid > 0 ? { gid } : {}) };
}

/** 0:0 is what an overlay shows for a deleted file. */
function isReal({ major, minor }: DeviceNode): boolean {
  return major !== 0 || minor !== 0;
}

function lastAtEachPath(devices: readonly LinuxDevice[]): readonly LinuxDevice[] {
  return [...new Map(devices.map((device) => [device.path, device])).values()];
}

function checkedPermissions(permissions: string): string {
  if (/^(?!.*(.).*\1)[rwm]{1,3}$/.test(permissions)) return permissions;
  throw new Fault(
    "invalid",
    `device permissions ${JSON.stringify(permissions.slice(0, 20))} are not some of r, w and m`,
  );
}
