import { Fault } from "../base/index.ts";
import { refuseNul } from "./paths.ts";

/** A device named by the configuration or an annotation. */
export interface DeviceSpec {
  readonly hostPath: string;
  readonly containerPath: string;
  /** Some of `rwm`. */
  readonly permissions: string;
}

/**
 * Parses `src[:dst][:perm],…` of the devices annotation. Each source must be one of `allowed_devices`, each destination below
 * /dev (reference: annotations-and-features.md 1.1). Rejects with Fault("invalid").
 */
export function parseAnnotatedDevices(annotation: string, allowedDevices: readonly string[]): readonly DeviceSpec[] {
  return annotation
    .split(",")
    .filter((entry) => entry !== "")
    .map((entry) => {
      const device = parseDeviceSpec(entry);
      if (!allowedDevices.includes(device.hostPath)) {
        throw new Fault("invalid", `device ${device.hostPath} is specified but is not in allowed_devices`);
      }
      return device;
    });
}

/** Parses `src[:dst][:perm]`; without a destination it is the source's path, without permissions all of them. */
export function parseDeviceSpec(text: string): DeviceSpec {
  refuseNul(text, "a device");
  const bad = (why: string) => new Fault("invalid", `invalid device ${JSON.stringify(text.slice(0, 300))}: ${why}`);
  const [hostPath = "", second, third, ...more] = text.split(":");
  if (more.length > 0) throw bad("it has more than three parts");
  if (third !== undefined && !isPermissions(third)) throw bad("its permissions are not some of r, w and m");
  const secondIsPath = second !== undefined && (third !== undefined || !isPermissions(second));
  const containerPath = secondIsPath ? second : hostPath;
  if (!hostPath.startsWith("/")) throw bad("its source is not an absolute path");
  if (!/^\/dev\/./.test(containerPath) || containerPath.split("/").includes("..")) {
    throw bad("its destination is not below /dev/");
  }
  return { hostPath, containerPath, permissions: third ?? (secondIsPath ? undefined : second) ?? "rwm" };
}

function isPermissions(text: string): boolean {
  return /^(?!.*(.).*\1)[rwm]{1,3}$/.test(text);
}
